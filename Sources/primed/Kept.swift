import JSON
import Posix
import Spool

/// `primed kept`
enum Kept {
    static let command = Command(
        name: "kept", summary: "list the jobs whose files are kept",
        description: """
            What is dropped has histories in it, so it is removed as soon as its result is published. Jobs that failed, \
            were rejected, cancelled or put into quarantine are kept for keep_failed_days of the configuration, all \
            others for keep_done_days (0: not at all), readable for nobody but the daemon. A line a job: its name, how \
            it ended and why, since when it is kept and until when. primed retry runs one again.
            """,
        options: [Site.option, Option(name: "json", value: nil, help: "print one JSON array")],
        files: [("WORK/kept/NAME/", "a kept job")],
        exits: [(Exit.ok, "listed"), (Exit.noPermission, "only the daemon's own user and root may look")],
        examples: ["primed kept", "primed kept --json | jq '.[] | select(.code == \"quarantined\") | .name'"]
    ) { arguments in
        let site = try Site(arguments)
        let jobs = try Site.asDaemon { try Spool.kept(site.folders, site.limits) }
        if arguments.has("json") {
            show(try json(jobs, pretty: true))
            return Exit.ok
        }
        let width = (jobs.map(\.name.count).max() ?? 0) + 2
        for job in jobs {
            show(
                "\(padded(job.name, width))\(padded(job.status.rawValue, 11))\(padded(job.code ?? "", 18))"
                    + "\(moment(job.published)) until \(moment(job.expires))\n")
        }
        return Exit.ok
    }

    /// To the second, in UTC.
    private static func moment(_ seconds: Int64) -> String {
        "\(WallClock.timestamp(seconds * 1_000_000_000).prefix(19))Z"
    }
}
