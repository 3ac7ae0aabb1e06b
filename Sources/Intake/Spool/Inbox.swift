import Glibc
import Posix

/// The folder that jobs are dropped into: which of its names are jobs that are all there.
public struct Inbox: Sendable {
    public let path: String
    /// How long a file must have been left alone, in seconds, where nothing surer tells that it is whole.
    public let settlingSeconds: Double

    public init(_ path: String, settlingSeconds: Double = 2) {
        self.path = path
        self.settlingSeconds = settlingSeconds
    }

    /// What a look at the inbox found. Names are those of files and folders in it.
    public struct Scan: Sendable, Equatable {
        /// What can be claimed: in turns between the owners of the files, of each owner's the oldest first.
        public var ready: [String] = []
        /// Names that look as if they were still being written.
        public var unsettled: [String] = []
        /// Whether there are more than were wanted.
        public var hasMore = false
        /// Names that are no jobs, and are no temporary names either.
        public var strange: [String] = []
        /// How many names are not UTF-8.
        public var undecodable = 0
    }

    /// What a listing found and no scan has given out yet, in the order of the turns.
    ///
    /// A flooded inbox is given out from here: to list and to stat all of it for each handful that fits into the queue would
    /// take time in the square of its size.
    public struct Backlog: Sendable {
        fileprivate var waiting: ArraySlice<Candidate> = []
        /// Whether the last scan listed the names, and did not only give out what it knew.
        public fileprivate(set) var isFresh = false
        /// When it pays to list again, although something is waiting: so late that listings take a tenth of the time at most.
        public fileprivate(set) var nextListing = 0.0

        /// Nothing waits: the first scan lists the inbox.
        public init() {}
    }

    /// - Parameters:
    ///   - announced: when the kernel said that a name was closed after writing or moved here, in nanoseconds since 1970.
    ///   - limit: how many are wanted; more are not looked at closely.
    public func scan(announced: [String: Int64] = [:], limit: Int = .max) throws(PosixError) -> Scan {
        var backlog = Backlog()
        return try scan(&backlog, announced: announced, limit: limit)
    }

    /// As above, from the names that wait in `backlog`. Who drops the first file of theirs while others wait gets their turn
    /// with the next listing.
    public func scan(
        _ backlog: inout Backlog, announced: [String: Int64] = [:], limit: Int = .max
    ) throws(PosixError) -> Scan {
        var scan = Scan()
        let start = MonotonicClock.seconds()
        backlog.isFresh = backlog.waiting.isEmpty || start >= backlog.nextListing
        if backlog.isFresh {
            // Not both lists at once.
            backlog.waiting = []
            backlog.waiting = try candidates(&scan)
        }
        while scan.ready.count < limit, var candidate = backlog.waiting.popFirst() {
            // Whoever dropped it may take it back, or go on writing, at any time.
            do throws(PosixError) { candidate.status = try Files.status("\(path)/\(candidate.name)") } catch {
                if error.errno != ENOENT { scan.unsettled.append(candidate.name) }
                continue
            }
            if isEmpty(candidate.status) { continue }
            // Written to since, it is being written anew.
            let isAnnounced = announced[candidate.name].map { candidate.status.modified <= $0 } ?? false
            if isWhole(candidate, isAnnounced: isAnnounced) {
                scan.ready.append(candidate.name)
            } else {
                scan.unsettled.append(candidate.name)
            }
        }
        if backlog.isFresh {
            let end = MonotonicClock.seconds()
            backlog.nextListing = end + 10 * (end - start)
        }
        // What came since the listing is not known yet.
        scan.hasMore = !backlog.waiting.isEmpty || !backlog.isFresh
        return scan
    }

    /// All that may be jobs, in turns; what may not is noted in `scan`.
    private func candidates(_ scan: inout Scan) throws(PosixError) -> ArraySlice<Candidate> {
        let listing = try Files.listing(path)
        scan.undecodable = listing.undecodable
        var candidates: [Candidate] = []
        for name in listing.names where !Self.isTemporary(name) {
            let status: Files.Status
            do throws(PosixError) { status = try Files.status("\(path)/\(name)") } catch {
                if error.errno != ENOENT { scan.unsettled.append(name) }
                continue
            }
            if status.kind != .directory && !name.hasSuffix(".json") {
                scan.strange.append(name)
            } else if isEmpty(status) {
                if age(of: status) > 60 { scan.strange.append(name) }
            } else {
                candidates.append(Candidate(name: name, status: status))
            }
        }
        return ArraySlice(Self.inTurns(candidates))
    }

    /// Whether whoever writes something of this name means to change it: it is not taken.
    public static func isTemporary(_ name: String) -> Bool {
        name.utf8.first == UInt8(ascii: ".") || name.hasSuffix(".part") || name.hasSuffix(".tmp") || name.hasSuffix("~")
    }

    fileprivate struct Candidate: Sendable {
        let name: String
        var status: Files.Status
    }

    private static func inTurns(_ candidates: [Candidate]) -> [Candidate] {
        var taken: [UInt32: Int] = [:]
        let oldestFirst = candidates.sorted { ($0.status.modified, $0.name) < ($1.status.modified, $1.name) }
        let ranked = oldestFirst.map { candidate in
            let turn = taken[candidate.status.owner, default: 0]
            taken[candidate.status.owner] = turn + 1
            return (turn: turn, candidate: candidate)
        }
        return ranked.sorted { ($0.turn, $0.candidate.status.modified) < ($1.turn, $1.candidate.status.modified) }
            .map(\.candidate)
    }

    /// Whether its writer has only just opened it, or is gone.
    private func isEmpty(_ status: Files.Status) -> Bool { status.kind == .regular && status.size == 0 }

    private func isWhole(_ candidate: Candidate, isAnnounced: Bool) -> Bool {
        let path = "\(path)/\(candidate.name)"
        switch candidate.status.kind {
        case .regular: return Files.isBeingWritten(path).map { !$0 } ?? (isAnnounced || isQuiet(candidate.status))
        case .directory:
            var entries = Spool.Limits().files
            return isAnnounced || isFolderQuiet(path, candidate.status, depth: 0, &entries)
        case .symbolicLink, .special: return true
        }
    }

    private func isQuiet(_ status: Files.Status) -> Bool {
        let age = age(of: status)
        // A time in the future says nothing, and must not keep a file here for ever.
        return age >= settlingSeconds || age < -settlingSeconds
    }

    /// In seconds.
    private func age(of status: Files.Status) -> Double { Double(WallClock.nanoseconds() - status.modified) / 1e9 }

    /// Whether nothing in the folder changes any more. One too deep or too wide to look through will be refused, so it may be
    /// taken.
    ///
    /// - Parameter entries: how many names may still be looked at.
    private func isFolderQuiet(_ path: String, _ status: Files.Status, depth: Int, _ entries: inout Int) -> Bool {
        guard depth < 16 else { return true }
        guard isQuiet(status), let names = try? Files.listing(path, limit: entries + 1).names else { return false }
        for name in names {
            entries -= 1
            if entries < 0 { return true }
            let inner = "\(path)/\(name)"
            guard let status = try? Files.status(inner) else { return false }
            switch status.kind {
            case .regular: if !isQuiet(status) || Files.isBeingWritten(inner) == true { return false }
            case .directory: if !isFolderQuiet(inner, status, depth: depth + 1, &entries) { return false }
            case .symbolicLink, .special: continue
            }
        }
        return true
    }
}
