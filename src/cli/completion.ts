import { Argument, Command } from "commander";
import { packageVersion } from "../platform/package-root.ts";

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** A command as completions know it. */
interface Known {
  readonly name: string;
  readonly description: string;
  readonly options: readonly {
    readonly flag: string;
    readonly text: string;
    readonly choices: readonly string[];
  }[];
}

/** What the list of commands has of each. */
interface Listed {
  readonly name: string;
  readonly description: string;
  readonly load: () => Promise<(command: Command) => void>;
}

/** `all`: the commands, as the help lists them. */
export function registerCompletion(command: Command, all: readonly Listed[]): void {
  command
    .addArgument(new Argument("<shell>", "whose completions are printed").choices(shells))
    .addHelpText("after", otherShells)
    .action(async (shell: Shell) => {
      process.stdout.write(scripts[shell](await knownCommands(all)));
    });
}

const otherShells = `
For the start file of another shell:
  source <(depthkit completion zsh)
  depthkit completion fish | source`;

/** Every command with its flags: all of them are loaded, which a completion itself must not wait for. */
async function knownCommands(all: readonly Listed[]): Promise<Known[]> {
  const known: Known[] = [];
  for (const { name, description, load } of all) {
    const made = new Command(name).version(packageVersion());
    (await load())(made);
    const options = made.options
      .filter(({ long }) => long !== undefined && long !== "--version")
      .map(({ long, description: text, argChoices = [] }) => ({
        flag: long ?? "",
        text,
        choices: argChoices,
      }));
    known.push({
      name,
      description,
      options: [...options, { flag: "--help", text: "what it takes", choices: [] }],
    });
  }
  return known;
}

function bash(known: readonly Known[]): string {
  const flags = known.map(
    ({ name, options }) => `    ${name}) flags="${options.map(({ flag }) => flag).join(" ")}" ;;`,
  );
  const choices = known.flatMap(({ name, options }) =>
    options
      .filter((option) => option.choices.length > 0)
      .map((option) => `    "${name} ${option.flag}") words="${option.choices.join(" ")}" ;;`),
  );
  return `# Completions of depthkit for bash, printed by \`depthkit completion bash\`.
_depthkit() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  local command="\${COMP_WORDS[1]}" flags="" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${known.map(({ name }) => name).join(" ")}" -- "$current"))
    return
  fi
  case "$command $before" in
${choices.join("\n")}
  esac
  case "$command" in
${flags.join("\n")}
  esac
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  elif [ "\${current:0:1}" = "-" ]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _depthkit depthkit
`;
}

const zsh = (known: readonly Known[]): string =>
  `# Completions of depthkit for zsh, printed by \`depthkit completion zsh\`: those of bash.
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bash(known)}`;

function fish(known: readonly Known[]): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = known.flatMap(({ name, description, options }) => [
    `complete -c depthkit -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`,
    ...options.map(({ flag, text, choices }) => {
      const values = choices.length === 0 ? "" : ` -x -a ${quoted(choices.join(" "))}`;
      return `complete -c depthkit -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)}${values} -d ${quoted(text)}`;
    }),
  ]);
  return `# Completions of depthkit for fish, printed by \`depthkit completion fish\`.\n${lines.join("\n")}\n`;
}

const scripts: Readonly<Record<Shell, (known: readonly Known[]) => string>> = { bash, zsh, fish };
