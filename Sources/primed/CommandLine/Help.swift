/// Texts of `primed help`, laid out like a manual page.
enum Help {
    /// Columns of a line.
    static let width = 80

    static func overview(_ commands: [Command]) -> String {
        let shown = commands.filter { !$0.isHidden }
        let column = (shown.map(\.name.count).max() ?? 0) + 2
        return """
            primed personalizes Llama models for users, by evolving a merge of other users' LoRA adapters.

            USAGE
                primed COMMAND [OPTION...] [OPERAND...]
                primed help COMMAND
                primed --version

            COMMANDS
            \(shown.map { "    \(padded($0.name, column))\($0.summary)" }.joined(separator: "\n"))

            FILES
                /etc/primed/primed.json5
                    The configuration; in a checkout etc/primed.json5. `primed doctor` shows what is in force and why.

            """
    }

    static func page(_ command: Command) -> String {
        var sections = [
            section("NAME", ["primed \(command.name) - \(command.summary)"]),
            section("USAGE", [usage(command)]),
            section("DESCRIPTION", [command.description]),
            section("OPTIONS", (command.options + Arguments.common).map { entry(heading($0), text($0)) }),
        ]
        if !command.files.isEmpty {
            sections.append(section("FILES", command.files.map { entry($0.path, $0.meaning) }))
        }
        sections.append(section("EXIT STATUS", exits(command).map { "\(padded("\($0.code)", 4))\($0.meaning)" }))
        if !command.examples.isEmpty {
            sections.append("EXAMPLES\n" + command.examples.map { "    \($0)" }.joined(separator: "\n"))
        }
        return sections.joined(separator: "\n\n") + "\n"
    }

    static func usage(_ command: Command) -> String {
        let options = command.options.map { "[\(heading($0))]\($0.mayRepeat ? "..." : "")" }
        return (["primed \(command.name)"] + options + [command.operands]).filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// A command's exit codes, those that every command has included.
    static func exits(_ command: Command) -> [(code: Int32, meaning: String)] {
        (command.exits + [(Exit.usage, "the command line is mistaken")]).sorted { $0.code < $1.code }
    }

    static func heading(_ option: Option) -> String {
        "--\(option.name)\(option.value.map { " \($0)" } ?? "")"
    }

    static func text(_ option: Option) -> String {
        option.mayRepeat ? "\(option.help); may be given again" : option.help
    }

    private static func entry(_ heading: String, _ text: String) -> String { "\(heading)\n\(wrapped(text, indent: 4))" }

    private static func section(_ title: String, _ parts: [String]) -> String {
        "\(title)\n" + parts.map { wrapped($0, indent: 4) }.joined(separator: "\n")
    }

    /// The lines of `text` cut to `width`. A line's own indentation is kept, also for what is wrapped of it.
    private static func wrapped(_ text: String, indent: Int) -> String {
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let margin = String(repeating: " ", count: indent + line.prefix { $0 == " " }.count)
            var current = ""
            for word in line.split(separator: " ") {
                if !current.isEmpty, margin.count + current.count + 1 + word.count > width {
                    lines.append(margin + current)
                    current = ""
                }
                current += current.isEmpty ? String(word) : " \(word)"
            }
            lines.append(current.isEmpty ? "" : margin + current)
        }
        return lines.joined(separator: "\n")
    }
}
