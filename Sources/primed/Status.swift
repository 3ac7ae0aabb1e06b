import Glibc
import JSON
import Posix
import Spool
import Worker

/// `primed status`
enum Status {
    static let command = Command(
        name: "status", summary: "say what the daemon is doing and what waits",
        description: """
            Shows what the daemon last said of itself, what lies in the inbox, and how many results are in the outbox. \
            Reads files only: it works whether or not a daemon runs. Where none does it shows the jobs that the last one \
            left, which go on when a daemon serves again.
            """,
        options: [Site.option, Option(name: "json", value: nil, help: "print one JSON object")],
        files: [("WORK/status.json", "what the daemon said last")],
        exits: [
            (Exit.ok, "a daemon serves"), (Exit.unavailable, "no daemon serves"),
            (Exit.noPermission, "only the daemon's group may ask"),
        ],
        examples: ["primed status", "primed status --json | jq .daemon.running"]
    ) { arguments in
        let report = try Report(try Site(arguments))
        show(arguments.has("json") ? try json(report, pretty: true) : report.text)
        return report.isServing ? Exit.ok : Exit.unavailable
    }

    struct Report: Encodable {
        let isServing: Bool
        /// Jobs that are not claimed yet.
        let inbox: Int
        /// Names in the inbox that are no jobs.
        let strange: [String]
        let results: Int
        let daemon: ServiceStatus?
        /// The daemon's, where the configuration names another by now.
        private var servedInbox: String?

        /// What there is to see now.
        init(_ site: Site) throws {
            let serving: ServiceStatus?
            do throws(PosixError) { serving = try ServiceStatus.serving(site.folders) } catch {
                throw ofGroup(error, "\(error)", folder: site.folders.work)
            }
            let scan = try? Inbox(site.folders.inbox).scan()
            isServing = serving != nil
            inbox = (scan?.ready.count ?? 0) + (scan?.unsettled.count ?? 0)
            strange = scan?.strange ?? []
            results = (try? Files.list(site.folders.outbox))?.count { !$0.hasPrefix(".") } ?? 0
            if let serving, !serving.serves(inbox: site.folders.inbox) { servedInbox = serving.inbox }
            if let serving { daemon = serving } else { daemon = try ServiceStatus.read(site.folders) }
        }

        enum CodingKeys: String, CodingKey {
            case isServing = "serving"
            case inbox, strange, results, daemon
        }

        var text: String {
            var lines: [String] = []
            if isServing, let daemon {
                lines.append("\(daemon.state.rawValue), process \(daemon.pid), \(counted(daemon.slots, "slot"))")
            } else {
                lines.append("no daemon serves")
            }
            if isServing, let lost = daemon?.lost, !lost.isEmpty {
                lines.append("\(padded("lost", 12))\(lost.joined(separator: ", ")): gone until the daemon starts again")
            }
            if isServing, let notReady = daemon?.notReady, !notReady.isEmpty {
                lines.append("\(padded("not ready", 12))\(notReady.joined(separator: ", ")): tried again before long")
            }
            lines.append("\(padded("inbox", 12))\(inbox)")
            if let servedInbox {
                lines.append("\(padded("", 12))the daemon serves \(servedInbox): restart it to take this one")
            }
            if !strange.isEmpty {
                lines.append("\(padded("", 12))no jobs: \(strange.prefix(10).map(printable).joined(separator: ", "))")
            }
            lines.append("\(padded("outbox", 12))\(results)")
            for job in daemon?.running ?? [] {
                guard isServing else {
                    lines.append("\(padded("interrupted", 12))\(job.id)")
                    continue
                }
                lines.append(
                    "\(padded("running", 12))\(job.id)  \(job.progress?.words(withUser: true) ?? "starting"), attempt \(job.attempt)"
                )
            }
            for job in daemon?.queue ?? [] {
                let failed = job.failures > 0 ? "failed \(counted(job.failures, "time"))" : nil
                let why = [failed, job.reason].compactMap { $0 }
                lines.append(([padded(job.state, 12) + job.id] + why).joined(separator: "  "))
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }
}
