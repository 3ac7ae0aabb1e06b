/// A page for man(1), written in roff from plain text.
struct ManualPage {
    private(set) var text: String

    /// - Parameter summary: what follows the name in NAME.
    init(_ name: String, section: Int, summary: String, version: String) {
        text = #"""
            .TH \#(name.uppercased()) \#(section) "" "primed \#(version)"
            .nh
            .ad l
            .SH NAME
            \#(Self.escaped(name)) \- \#(Self.escaped(summary))

            """#
    }

    mutating func section(_ title: String) { text += ".SH \(title)\n" }

    mutating func subsection(_ title: String) { text += ".SS \(Self.escaped(title))\n" }

    /// Paragraphs that empty lines part.
    mutating func paragraphs(_ plain: String) {
        let parts = plain.split(separator: "\n\n").map { Self.escaped(String($0)) }
        text += ".PP\n" + parts.joined(separator: "\n.PP\n") + "\n"
    }

    /// A word or words, in bold, and under them what they mean.
    mutating func entry(_ heading: String, _ meaning: String) {
        text += ".TP\n\\fB\(Self.escaped(heading))\\fR\n\(Self.escaped(meaning))\n"
    }

    /// Lines as they are to be typed.
    mutating func literal(_ lines: [String]) {
        text += ".PP\n.RS 4\n.EX\n" + lines.map { Self.escaped($0) + "\n" }.joined() + ".EE\n.RE\n"
    }

    /// Text that roff takes for nothing but text, its characters those of a terminal.
    private static func escaped(_ plain: String) -> String {
        let characters: [Character: String] = [
            "\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti",
        ]
        return plain.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            (line.hasPrefix(".") ? "\\&" : "") + line.map { characters[$0] ?? String($0) }.joined()
        }.joined(separator: "\n")
    }
}
