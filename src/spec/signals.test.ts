import assert from "node:assert/strict";
import { test } from "node:test";
import { isBerthError } from "../errors.ts";
import { parseSignal, signalName, signalOfExitCode } from "./signals.ts";

test("the six plain signals, trimmed, in any case, with or without SIG", () => {
  const cases = { KILL: 9, sigterm: 15, " int ": 2, Hup: 1, SIGUSR1: 10, usr2: 12 };
  for (const [text, number] of Object.entries(cases)) assert.equal(parseSignal(text), number);
});

test("anything else needs any", () => {
  for (const text of ["", "9", "QUIT", "SIG", "RTMIN+1", "kill -9", "constructor"]) {
    assert.throws(
      () => parseSignal(text),
      (error) => isBerthError(error, "invalid_spec"),
      text,
    );
  }
});

test("with any: every name, number and real-time signal", () => {
  const cases = { QUIT: 3, "9": 9, "64": 64, SIGRTMIN: 34, "RTMIN+3": 37, "rtmax-1": 63, RTMAX: 64, SIGWINCH: 28, CLD: 17, POLL: 29 };
  for (const [text, number] of Object.entries(cases)) assert.equal(parseSignal(text, { any: true }), number);
  for (const text of ["", "0", "65", "RTMIN-1", "RTMAX+1", "RTMIN+31", "NOPE", "toString", "-9", "1.0"]) {
    assert.throws(
      () => parseSignal(text, { any: true }),
      (error) => isBerthError(error, "invalid_spec"),
      text,
    );
  }
});

test("names of numbers", () => {
  assert.deepEqual([6, 9, 17, 29, 34, 37, 64].map(signalName), ["SIGABRT", "SIGKILL", "SIGCHLD", "SIGIO", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMAX"]);
  assert.equal(signalName(33), "signal_33");
  for (let number = 1; number <= 31; number++) assert.equal(parseSignal(signalName(number), { any: true }), number);
});

test("signal behind a bare exit code", () => {
  assert.equal(signalOfExitCode(137), "SIGKILL");
  assert.equal(signalOfExitCode(143), "SIGTERM");
  assert.equal(signalOfExitCode(144), "signal_16");
  assert.equal(signalOfExitCode(192), "signal_64");
  for (const code of [0, 1, 127, 128, 193, 255]) assert.equal(signalOfExitCode(code), undefined);
});
