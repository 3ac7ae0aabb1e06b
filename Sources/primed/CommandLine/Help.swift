/// Texts of `primed help`, laid out like a manual page.
enum Help {
    static func overview(_ commands: [Command]) -> String {
        let width = commands.map(\.name.count).max() ?? 0
        let lines = commands.filter { !$0.isHidden }.map {
            "  \($0.name)\(String(repeating: " ", count: width - $0.name.count))  \($0.summary)"
        }
        return """
            primed personalizes Llama models for users, by evolving a merge of other users' LoRA adapters.

            Usage: primed COMMAND [options]

            Commands:
            \(lines.joined(separator: "\n"))

            `primed help COMMAND` describes a command. `primed --version` prints the version.
            The configuration is --config FILE, $PRIMED_CONFIG, etc/primed.json5 or /etc/primed/primed.json5.

            """
    }

    static func page(_ command: Command) -> String {
        var text = "primed \(command.name) - \(command.summary)\n\n"
        text += "Usage: primed \(command.name) [options]\(command.operands.isEmpty ? "" : " " + command.operands)\n\n"
        text += wrapped(command.description, indent: "") + "\n"
        let options = command.options + Arguments.common
        text += "\nOptions:\n"
        for option in options {
            text += "  --\(option.name)\(option.value.map { " " + $0 } ?? "")\n"
            text += wrapped(option.help, indent: "        ") + "\n"
        }
        if !command.exits.isEmpty {
            text += "\nExit status:\n"
            for exit in command.exits { text += "  \(exit.code)  \(exit.meaning)\n" }
        }
        if !command.examples.isEmpty {
            text += "\nExamples:\n" + command.examples.map { "  \($0)\n" }.joined()
        }
        return text
    }

    /// Paragraphs at 80 columns.
    private static func wrapped(_ text: String, indent: String) -> String {
        text.split(separator: "\n\n", omittingEmptySubsequences: true).map { paragraph in
            var lines: [String] = []
            var line = indent
            for word in paragraph.split(whereSeparator: \.isWhitespace) {
                if line.count + word.count + 1 > 80, line.count > indent.count {
                    lines.append(line)
                    line = indent
                }
                line += (line.count > indent.count ? " " : "") + word
            }
            return (lines + [line]).joined(separator: "\n")
        }.joined(separator: "\n\n")
    }
}
