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
            guard let job = try spool.takeAgain(request.job) else { return .unknown }
            add(job, at: time)
            return .done
        }
        // A result that only waits for the disk is beyond all wishes.
        if job.folder.isFinished { return .pointless }
        switch (request.command, state) {
        case (.cancel, .running), (.hold, .running):
            try job.folder.set(request.command == .cancel ? .cancel : .hold)
            supervisor.askToStop(job.id)
        case (.cancel, _):
            try job.folder.set(.cancel)
            publish(job, ending: .cancelled)
        case (.hold, .waiting), (.hold, .coolingOff):
            try job.folder.set(.hold)
            queue.hold(job.id, reason: Self.heldByOperator)
        case (.release, .held(Self.heldByOperator)):
            try job.folder.set(nil)
            queue.release(job.id)
        case (.retry, .coolingOff): queue.putBack(job.id)
        case (.hold, .held), (.release, _), (.retry, _): return .pointless
        }
        return .done
    }

    static let heldByOperator = "by an operator"
}
