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
            section("NAME", [wrapped("primed \(command.name) - \(command.summary)", indent: 4, hanging: 8)]),
            section("USAGE", [wrapped(usage(command), indent: 4, hanging: 8)]),
            section("DESCRIPTION", [wrapped(command.description, indent: 4)]),
            section("OPTIONS", (command.options + Arguments.common).map { entry(heading($0), text($0)) }),
        ]
        if !command.files.isEmpty {
            sections.append(section("FILES", command.files.map { entry($0.path, $0.meaning) }))
        }
        let codes = exits(command).map { wrapped("\(padded("\($0.code)", 4))\($0.meaning)", indent: 4, hanging: 8) }
        sections.append(section("EXIT STATUS", codes))
        // A line each, to be copied.
        if !command.examples.isEmpty { sections.append(section("EXAMPLES", command.examples.map { "    \($0)" })) }
        return sections.joined(separator: "\n\n") + "\n"
    }

    static func usage(_ command: Command) -> String {
        let options = command.options.map { option in
            (option.isRequired ? heading(option) : "[\(heading(option))]") + (option.mayRepeat ? "..." : "")
        }
        return (["primed \(command.name)"] + options + [command.operands]).filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// A command's exit codes, those that many or all have included.
    static func exits(_ command: Command) -> [(code: Int32, meaning: String)] {
        var exits = command.exits + [(Exit.usage, "the command line is mistaken")]
        let isOnSite = command.options.contains { $0.name == Site.option.name }
        if isOnSite, !exits.contains(where: { $0.code == Exit.configuration }) {
            exits.append((Exit.configuration, "the configuration is mistaken"))
        }
        if isOnSite, !exits.contains(where: { $0.code == Exit.noPermission }) {
            exits.append((Exit.noPermission, "this user may not read or write what it takes"))
        }
        return exits.sorted { $0.code < $1.code }
    }

    static func heading(_ option: Option) -> String {
        "--\(option.name)\(option.value.map { " \($0)" } ?? "")"
    }

    static func text(_ option: Option) -> String {
        option.mayRepeat ? "\(option.help); may be given again" : option.help
    }

    private static func entry(_ heading: String, _ text: String) -> String {
        "    \(heading)\n\(wrapped(text, indent: 8))"
    }

    /// - Parameter parts: laid out already.
    private static func section(_ title: String, _ parts: [String]) -> String {
        "\(title)\n" + parts.joined(separator: "\n")
    }

    /// The lines of `text` cut to `width`, blanks within them kept.
    ///
    /// - Parameter hanging: the indentation of what is wrapped of a line; nil for that of the line itself.
    private static func wrapped(_ text: String, indent: Int, hanging: Int? = nil) -> String {
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let margin = String(repeating: " ", count: hanging ?? indent + line.prefix { $0 == " " }.count)
            var current = String(repeating: " ", count: indent)
            var isEmpty = true
            for word in line.split(separator: " ", omittingEmptySubsequences: false) {
                if !isEmpty, !word.isEmpty, current.count + 1 + word.count > width {
                    lines.append(trimmed(current))
                    current = margin
                    isEmpty = true
                }
                current += isEmpty ? word : " \(word)"
                isEmpty = false
            }
            lines.append(trimmed(current))
        }
        return lines.joined(separator: "\n")
    }

    private static func trimmed(_ line: String) -> String {
        String(line.reversed().drop { $0 == " " }.reversed())
    }
}
