import Posix
import Spool
import Telemetry

// MARK: - The inbox, and what operators drop

extension Service {
    /// What the last look at the inbox found.
    struct InboxState {
        /// When to look at the names, soon after each announcement.
        var nextScan = 0.0
        /// When to look without any, and to try again what the disk refused.
        var nextRescan = 0.0
        var isAwaited = true
        /// What waits in it.
        var backlog = Inbox.Backlog()
        /// Names that could not be claimed, until the next rescan.
        var refused: Set<String> = []
        /// Names that were logged as no jobs.
        var reported: Set<String> = []
        var isDiskFull = false
        /// Whether something failed on the way of a job that may pass: the next rescan takes it up.
        var hasStranded = false
    }

    func beginWatch() {
        watch = watch ?? beginWatch(of: spool.inbox)
        requestWatch = requestWatch ?? beginWatch(of: Inbox(spool.folders.requests))
    }

    private func beginWatch(of folder: Inbox) -> InboxWatch? {
        do throws(PosixError) { return try InboxWatch(folder) } catch {
            log(.trouble(error))
            return nil
        }
    }

    func hearInbox() throws(PosixError) {
        guard let watch else { return }
        let news = try watch.news()
        if news.hasLost { log(.announcementsLost) }
        if news.hasEnded {
            self.watch = nil
            inbox.nextRescan = 0
        }
        if news.callsForScan { inbox.nextScan = 0 }
    }

    func hearRequests(at time: Double) throws(PosixError) {
        guard let news = try requestWatch?.news(), news.callsForScan else { return }
        requestWatch?.forgetAll()
        if news.hasEnded {
            requestWatch = nil
            inbox.nextRescan = 0
        }
        answerRequests(at: time)
    }

    /// Without announcements folders have to be looked at often.
    var rescanSeconds: Double {
        watch == nil || requestWatch == nil ? min(5, options.rescanSeconds) : options.rescanSeconds
    }

    /// Takes what is ready, as far as there is room.
    func look(at time: Double) {
        inbox.nextScan = .infinity
        do throws(PosixError) {
            if time >= inbox.nextRescan {
                beginWatch()
                inbox.nextRescan = time + rescanSeconds
                inbox.refused = []
                retryPublishing()
                heedAgain()
                inbox.hasStranded = false
                _ = try recover { report(at: MonotonicClock.seconds()) }
                if try spool.removeExpired(sign: { report(at: MonotonicClock.seconds()) }) {
                    inbox.nextRescan = min(inbox.nextRescan, time + 1)
                }
                answerRequests(at: time)
            }
            let isFull = try !spool.hasRoom()
            if isFull && !inbox.isDiskFull { log(.diskFull) }
            inbox.isDiskFull = isFull
            inbox.isAwaited = !isFull
            if !isFull && queue.room > 0 { try takeJobs(at: time) }
        } catch {
            log(.trouble(error))
            if error.mayPass { tryAgainSoon(after: time) }
        }
    }

    private func takeJobs(at time: Double) throws(PosixError) {
        // A handful a look: a refused manifest takes some twenty syncs of the disk, and signals and workers wait meanwhile.
        let scan = try spool.inbox.scan(
            &inbox.backlog, announced: watch?.announced ?? [:], limit: min(queue.room, 16) + inbox.refused.count)
        for name in scan.strange where inbox.reported.insert(name).inserted { log(.fileIgnored(name)) }
        if scan.undecodable > 0 && inbox.reported.insert("/").inserted { log(.namesIgnored(scan.undecodable)) }
        for name in scan.ready where queue.room > 0 && !inbox.refused.contains(name) {
            do throws(PosixError) {
                if let job = try spool.take(name) { add(job, at: time) }
                // A large one takes seconds to read.
                report(at: MonotonicClock.seconds())
            } catch {
                if Files.exists("\(spool.folders.inbox)/\(name)") {
                    inbox.refused.insert(name)
                    log(.fileUnclaimable(name, error))
                    if error.mayPass { tryAgainSoon(after: time) }
                } else {
                    tryAgainSoon(after: time)
                    log(.trouble(error))
                }
            }
        }
        let gone = scan.ready.filter { !Files.exists("\(spool.folders.inbox)/\($0)") }
        watch?.forget(gone)
        if inbox.backlog.isFresh {
            inbox.reported.formIntersection(scan.strange + (scan.undecodable > 0 ? ["/"] : []))
            watch?.forget(watch?.announced.keys.filter { !Files.exists("\(spool.folders.inbox)/\($0)") } ?? [])
        }
        let remaining = Set(scan.ready).subtracting(inbox.refused).subtracting(gone)
        inbox.isAwaited = scan.hasMore || !remaining.isEmpty || !scan.unsettled.isEmpty
        if !scan.unsettled.isEmpty { inbox.nextScan = max(time + 0.5, inbox.backlog.nextListing) }
        if scan.hasMore && queue.room > 0 { inbox.nextScan = time }
    }

    /// Looks again before long, for what the disk refused and may not refuse the next time.
    func tryAgainSoon(after time: Double) {
        inbox.hasStranded = true
        inbox.nextRescan = min(inbox.nextRescan, time + 5)
    }

    /// Looks at the inbox soon if files wait in it that did not fit.
    func queueHasRoom() {
        if inbox.isAwaited { inbox.nextScan = 0 }
    }
}
