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

    /// - Parameters:
    ///   - announced: names that the kernel said were closed after writing or moved here.
    ///   - limit: how many are wanted; more are not looked at closely.
    public func scan(announced: Set<String> = [], limit: Int = .max) throws(PosixError) -> Scan {
        let listing = try Files.listing(path)
        var scan = Scan(undecodable: listing.undecodable)
        var candidates: [Candidate] = []
        for name in listing.names where !Self.isTemporary(name) {
            // Whoever dropped it may take it back at any time.
            let status: Files.Status
            do throws(PosixError) { status = try Files.status("\(path)/\(name)") } catch {
                if error.errno != ENOENT { scan.unsettled.append(name) }
                continue
            }
            if status.kind != .directory && !name.hasSuffix(".json") {
                scan.strange.append(name)
            } else if status.kind == .regular && status.size == 0 {
                // Its writer has only just opened it, or is gone.
                if age(of: status) > 60 { scan.strange.append(name) }
            } else {
                candidates.append(Candidate(name: name, status: status))
            }
        }
        for candidate in Self.inTurns(candidates) {
            if scan.ready.count >= limit {
                scan.hasMore = true
                break
            }
            if isWhole(candidate, isAnnounced: announced.contains(candidate.name)) {
                scan.ready.append(candidate.name)
            } else {
                scan.unsettled.append(candidate.name)
            }
        }
        return scan
    }

    /// Names that whoever writes them means to change.
    static func isTemporary(_ name: String) -> Bool {
        name.hasPrefix(".") || name.hasSuffix(".part") || name.hasSuffix(".tmp") || name.hasSuffix("~")
    }

    private struct Candidate {
        let name: String
        let status: Files.Status
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

    private func isWhole(_ candidate: Candidate, isAnnounced: Bool) -> Bool {
        let path = "\(path)/\(candidate.name)"
        switch candidate.status.kind {
        case .regular: return Files.isBeingWritten(path).map { !$0 } ?? (isAnnounced || isQuiet(candidate.status))
        case .directory: return isAnnounced || isFolderQuiet(path, candidate.status, depth: 0)
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

    /// Whether nothing in the folder changes any more. One too deep to look through will be refused, so it may be taken.
    private func isFolderQuiet(_ path: String, _ status: Files.Status, depth: Int) -> Bool {
        guard depth < 16 else { return true }
        guard isQuiet(status), let names = try? Files.list(path) else { return false }
        return names.allSatisfy { name in
            let inner = "\(path)/\(name)"
            guard let status = try? Files.status(inner) else { return false }
            switch status.kind {
            case .regular: return isQuiet(status) && Files.isBeingWritten(inner) != true
            case .directory: return isFolderQuiet(inner, status, depth: depth + 1)
            case .symbolicLink, .special: return true
            }
        }
    }
}
