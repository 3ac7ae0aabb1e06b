import FoundationEssentials
import Glibc
import Posix
import Spool
import Worker

/// `primed status`
enum Status {
    static let command = Command(
        name: "status", summary: "say what the daemon is doing and what waits",
        description: """
            Shows what the daemon last said of itself, what lies in the inbox, and how many results are in the outbox. \
            Reads files only: it works whether or not a daemon runs.
            """,
        options: [Site.option, Option(name: "json", value: nil, help: "print one JSON object")],
        exits: [(Exit.ok, "a daemon serves, or has stopped properly"), (Exit.unavailable, "no daemon serves")],
        examples: ["primed status", "primed status --json"]
    ) { arguments in
        let site = try Site(arguments)
        let said = ServiceStatus.read(site.folders)
        let isAlive = said.map { $0.state != .stopped && kill(pid_t($0.pid), 0) == 0 } ?? false
        let inbox = (try? Inbox(site.configuration.inbox).scan())?.ready.count ?? 0
        let outbox = (try? Files.list(site.configuration.outbox))?.count { !$0.hasPrefix(".") } ?? 0
        let report = Report(isServing: isAlive, inbox: inbox, results: outbox, daemon: said)
        show(arguments.has("json") ? try json(report, pretty: true) : report.text)
        return isAlive ? Exit.ok : Exit.unavailable
    }

    private struct Report: Encodable {
        let isServing: Bool
        let inbox: Int
        let results: Int
        let daemon: ServiceStatus?

        enum CodingKeys: String, CodingKey {
            case isServing = "serving"
            case inbox, results, daemon
        }

        var text: String {
            var lines = [
                isServing ? "serving (pid \(daemon?.pid ?? 0), \(daemon?.slots ?? 0) slots)" : "no daemon serves"
            ]
            lines.append("inbox    \(inbox)")
            lines.append("outbox   \(results)")
            for job in isServing ? daemon?.running ?? [] : [] {
                var words = ["running ", job.id]
                if let progress = job.progress {
                    words.append("target \(min(progress.finished + 1, progress.targets))/\(progress.targets)")
                    words.append(progress.stage)
                    if let done = progress.evaluation, let budget = progress.budget {
                        words.append("\(done)/\(budget)")
                    }
                    if let best = progress.best { words.append("best \(fixed(best, 3))") }
                }
                lines.append(words.joined(separator: " "))
            }
            for job in isServing ? daemon?.queue ?? [] : [] {
                lines.append("\(padded(job.state, 8)) \(job.id)" + (job.reason.map { " (\($0))" } ?? ""))
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }
}
