/** A terminal screen with its escape sequences, as `tmux capture-pane -e` gives it, drawn as SVG. */

const cell = { width: 8.4, height: 19 };
const margin = { x: 18, top: 44, bottom: 16 };
const ink = "#d7dae0";
const palette = ["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", ink];

interface Style {
  readonly colour: string;
  readonly bold: boolean;
  readonly dim: boolean;
}

interface Run extends Style {
  readonly text: string;
  readonly column: number;
}

const plain: Style = { colour: ink, bold: false, dim: false };

export function screenToSvg(screen: string, columns: number): string {
  const lines = screen.split("\n");
  const [width, height] = [Math.ceil(columns * cell.width + 2 * margin.x), margin.top + lines.length * cell.height + margin.bottom];
  let style = plain;
  const texts = lines.flatMap((line, row) => {
    const { runs, last } = parseLine(line, style);
    style = last;
    return runs.map((run) => textElement(run, row));
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="berth at a terminal">
<rect width="${width}" height="${height}" rx="9" fill="#1e2227"/>
<circle cx="22" cy="20" r="6" fill="#e06c75"/><circle cx="42" cy="20" r="6" fill="#e5c07b"/><circle cx="62" cy="20" r="6" fill="#98c379"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">
${texts.join("\n")}
</g>
</svg>
`;
}

function textElement(run: Run, row: number): string {
  const x = (margin.x + run.column * cell.width).toFixed(1);
  const y = margin.top + (row + 0.75) * cell.height;
  const weight = run.bold ? ' font-weight="bold"' : "";
  const opacity = run.dim ? ' opacity="0.6"' : "";
  // A fixed length keeps columns in line whatever font the reader has.
  const length = (run.text.length * cell.width).toFixed(1);
  return `<text x="${x}" y="${y}" fill="${run.colour}"${weight}${opacity} textLength="${length}">${escaped(run.text)}</text>`;
}

function parseLine(line: string, before: Style): { readonly runs: Run[]; readonly last: Style } {
  const runs: Run[] = [];
  let [style, column] = [before.colour === ink && line.startsWith("$") ? { ...plain, bold: true } : before, 0];
  for (const part of line.split(/(\x1b\[[\d;]*m)/)) {
    const codes = /^\x1b\[([\d;]*)m$/.exec(part)?.[1];
    if (codes !== undefined) {
      style = codes.split(";").map(Number).reduce(applied, style);
      continue;
    }
    if (part.trim() !== "") runs.push({ ...style, text: part, column });
    column += part.length;
  }
  return { runs, last: line.startsWith("$") ? plain : style };
}

/** The few codes (SGR) a command line prints. */
function applied(style: Style, code: number): Style {
  if (code === 0) return plain;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 39) return { ...style, colour: ink };
  const index = code >= 90 ? code - 90 : code - 30;
  return { ...style, colour: palette[index] ?? style.colour };
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
