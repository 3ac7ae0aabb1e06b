import Glibc
import JSON
import Posix
import Spool
import Worker

/// `primed cancel`, `primed hold`, `primed release`, `primed retry`
enum Operate {
    static let commands = [
        command(
            .cancel, "end jobs and publish the targets that are done",
            """
            Ends each job: one that waits at once, one that runs as soon as its batch in flight is done. Targets that \
            are done are published; the result says cancelled. What was dropped is kept for a while, so that primed \
            retry can go on from there.
            """, "primed cancel nightly-2026-11-20"),
        command(
            .hold, "let jobs wait until they are released",
            """
            The jobs stay claimed and do not run, across restarts of the daemon too. One that runs stops as soon as its \
            batch in flight is done and goes on from there when it is released.
            """, "primed hold nightly-2026-11-20"),
        command(
            .release, "let held jobs run again",
            "The jobs wait for their turn again.", "primed release nightly-2026-11-20"),
        command(
            .retry, "run failed jobs again",
            """
            A job that waits for its next try runs at its next turn. One that failed, was rejected, cancelled or put \
            into quarantine runs again if it is kept (see primed kept): targets that are done stay, those that failed \
            are done again, and its result is taken back until it has ended anew.
            """, "primed retry nightly-2026-11-20"),
    ]

    private static func command(
        _ wish: Request.Command, _ summary: String, _ description: String, _ example: String
    ) -> Command {
        Command(
            name: wish.rawValue, summary: summary, operands: "ID...", operandCount: 1...10_000,
            description: """
                \(description)

                The daemon is asked by a file that outlives it. Only its own user and root may ask. Jobs that are still in \
                the inbox are not known by their ids: take the file out, or wait until it is claimed.

                Answers stand in the order of the jobs. Where several are no success it ends with the largest of their codes.
                """,
            options: [
                Site.option,
                Option(
                    name: "timeout", value: "SECONDS", help: "how long to wait for the daemon's answer (default: 10)"),
            ],
            files: [("WORK/requests/", "what the daemon is asked for")],
            exits: [
                (Exit.ok, "the daemon has taken note of every request"),
                (Exit.noInput, "there is no such job, or it is in no state for it"),
                (Exit.io, "the disk refused; the daemon's log says what"),
                (Exit.temporary, "no answer yet; the request stays until a daemon answers it"),
                (Exit.noPermission, "only the daemon's own user and root may ask"),
            ] + (wish == .retry ? [(Exit.badData, "the job was rejected once more")] : []),
            examples: [example]
        ) { arguments in
            let site = try Site(arguments)
            let timeout = try arguments.integer("timeout", default: 10, in: 0...86400)
            return try Site.asDaemon { try ask(wish, arguments.operands, site, seconds: Double(timeout)) }
        }
    }

    private static func ask(
        _ command: Request.Command, _ names: [String], _ site: Site, seconds: Double
    ) throws -> Int32 {
        let ids = try names.map { name throws(Failure) in
            guard let id = JobID(name) else {
                throw Failure(Exit.usage, "\(command.rawValue): \(printable(name)) is no job's id")
            }
            return id
        }
        guard try Files.isPresent(site.folders.requests) else {
            throw Failure(Exit.noInput, "\(site.folders.work): no daemon has served it yet, so there are no jobs")
        }
        let requests = try ids.map { try Request(command, $0, of: site.folders) }
        var answers: [Request.Answer?] = requests.map { _ in nil }
        let deadline = MonotonicClock.seconds() + seconds
        let isServed = try ServiceStatus.serving(site.folders) != nil
        while true {
            for index in requests.indices where answers[index] == nil {
                answers[index] = requests[index].answer(in: site.folders)
            }
            guard answers.contains(nil), isServed, MonotonicClock.seconds() < deadline else { break }
            usleep(20_000)
        }
        var code = Exit.ok
        var open: [String] = []
        for (request, answer) in zip(requests, answers) {
            guard let answer else {
                open.append(request.job)
                continue
            }
            show("\(words(of: answer, to: request))\n")
            code = max(code, self.code(of: answer))
        }
        if open.isEmpty { return code }
        let why = isServed ? "no answer yet" : "no daemon serves \(site.folders.inbox)"
        complain("\(why); it is asked to \(command.rawValue): \(open.joined(separator: ", "))")
        return max(code, Exit.temporary)
    }

    private static func code(of answer: Request.Answer) -> Int32 {
        switch answer {
        case .done: Exit.ok
        case .refused: Exit.badData
        case .unknown, .pointless: Exit.noInput
        case .failed: Exit.io
        }
    }

    private static func words(of answer: Request.Answer, to request: Request) -> String {
        switch (answer, request.command) {
        case (.done, .cancel): "\(request.job): ends"
        case (.done, .hold): "\(request.job): held"
        case (.done, .release): "\(request.job): released"
        case (.done, .retry): "\(request.job): runs again"
        case (.unknown, .retry): "\(request.job): no such job is claimed, nor kept to be run again"
        case (.unknown, _): "\(request.job): no such job is claimed"
        case (.refused, _): "\(request.job): rejected once more; its result says why"
        case (.pointless, .release): "\(request.job): is not held"
        case (.pointless, .retry): "\(request.job): runs, waits for its turn or is held"
        case (.pointless, _): "\(request.job): is so already, or done"
        case (.failed, _): "\(request.job): the disk refused; the daemon's log says what"
        }
    }
}
