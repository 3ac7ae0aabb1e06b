import Glibc
import Posix

/// `primed top`
enum Top {
    static let command = Command(
        name: "top", summary: "watch the daemon in a terminal",
        description: """
            Shows what primed status shows, drawn anew every second until Ctrl-C. Where standard output is no terminal it \
            is shown once.
            """,
        options: [Site.option, Option(name: "seconds", value: "N", help: "between two looks (default: 1)")],
        exits: [(Exit.ok, "ended by the user"), (Exit.unavailable, "no daemon serves, and there is no terminal")],
        examples: ["primed top"]
    ) { arguments in
        let site = try Site(arguments)
        let pause = try arguments.integer("seconds", default: 1, in: 1...3600)
        guard Terminal.isTerminal(STDOUT_FILENO) else {
            let report = try Status.Report(site)
            show(report.text)
            return report.isServing ? Exit.ok : Exit.unavailable
        }
        let signals = try Signals(catching: [SIGINT, SIGTERM])
        // The terminal's other screen, so that nothing of what was there is lost.
        show("\u{1b}[?1049h\u{1b}[?25l")
        defer { show("\u{1b}[?25h\u{1b}[?1049l") }
        while try signals.received().isEmpty {
            show("\u{1b}[H" + (try screen(site)))
            _ = try poll([signals.descriptor.number], milliseconds: pause * 1000)
        }
        return Exit.ok
    }

    /// As many lines as fit, each cleared to its end, and nothing below them.
    private static func screen(_ site: Site) throws -> String {
        let (columns, rows) = Terminal.size(STDOUT_FILENO) ?? (80, 24)
        let head = "primed \(Primed.version)  \(WallClock.timestamp())"
        let lines = try [head, ""] + Status.Report(site).text.split(separator: "\n").map(String.init)
        return lines.prefix(rows - 1).map { $0.prefix(columns) + "\u{1b}[K\n" }.joined() + "\u{1b}[J"
    }
}
