import Posix
import Queue
import Spool
import Telemetry

// MARK: - What operators ask for

extension Service {
    func answerRequests(at time: Double) {
        do throws(PosixError) {
            for request in try spool.requests() {
                let answer: Request.Answer
                do throws(PosixError) { answer = try take(request, at: time) } catch {
                    log(.trouble(error))
                    answer = .failed
                }
                log(.requestAnswered(request.job, command: request.command.rawValue, answer: answer.rawValue))
                try spool.answer(request, answer)
            }
        } catch {
            log(.trouble(error))
        }
    }

    private func take(_ request: Request, at time: Double) throws(PosixError) -> Request.Answer {
        guard let job = jobs[request.job], let state = queue[request.job]?.state else {
            guard request.command == .retry else { return .unknown }
            let rejected = spool.rejected
            guard let job = try spool.takeAgain(request.job) else {
                return spool.rejected > rejected ? .refused : .unknown
            }
            add(job, at: time)
            return .done
        }
        // A result that only waits for the disk is beyond all wishes.
        if job.folder.isFinished { return .pointless }
        switch (request.command, state) {
        case (.cancel, .running):
            try wish(.cancel, of: job)
            supervisor.askToStop(job.id)
        // Its end is promised.
        case (.hold, .running) where wishes[job.id] == .cancel: return .pointless
        case (.hold, .running):
            try wish(.hold, of: job)
            supervisor.askToStop(job.id)
        // It stops all the same, and goes on at its next turn.
        case (.release, .running) where wishes[job.id] == .hold: try wish(nil, of: job)
        case (.cancel, _):
            try wish(.cancel, of: job)
            publish(job, verdict: .cancelled)
        case (.hold, .waiting), (.hold, .coolingOff):
            try wish(.hold, of: job)
            queue.hold(job.id, .byOperator)
        case (.release, .held(.byOperator)):
            try wish(nil, of: job)
            queue.release(job.id)
        case (.retry, .coolingOff): queue.putBack(job.id)
        case (.hold, .held), (.release, _), (.retry, _): return .pointless
        }
        return .done
    }

    private func wish(_ wish: JobFolder.Wish?, of job: SpooledJob) throws(PosixError) {
        try job.folder.set(wish)
        wishes[job.id] = wish
    }
}
