import Posix

/// Hears from the kernel when something is dropped into the inbox.
public final class InboxWatch {
    private let inotify: Inotify

    /// When names were said to have been closed after writing or moved in, in nanoseconds since 1970; those that were not
    /// forgotten yet.
    public private(set) var announced: [String: Int64] = [:]
    /// More are not remembered: a name of which nothing is known is whole when it has been left alone.
    private static let mostAnnounced = 1 << 17

    /// Begins to watch. Scan afterwards, so that nothing falls between.
    public init(_ inbox: Inbox) throws(PosixError) {
        inotify = try Inotify()
        _ = try inotify.watch(inbox.path, for: [.closedAfterWriting, .movedIn, .created])
    }

    /// Readable when there is news.
    public var descriptor: Descriptor { inotify.descriptor }

    /// What the kernel told.
    public struct News: Sendable, Equatable {
        /// Something may have come.
        public var callsForScan = false
        /// The kernel dropped announcements.
        public var hasLost = false
        /// The watched folder itself is gone: begin another watch.
        public var hasEnded = false
    }

    /// What came since the last call; never waits.
    public func news() throws(PosixError) -> News {
        var news = News()
        for event in try inotify.events() {
            news.callsForScan = true
            switch event {
            case .change(_, let name, let changes):
                let isWhole = !changes.isDisjoint(with: [.closedAfterWriting, .movedIn])
                if isWhole && !Inbox.isTemporary(name) { announced[name] = WallClock.nanoseconds() }
            // A scan counts such names.
            case .undecodable: continue
            case .overflow: news.hasLost = true
            case .ended: news.hasEnded = true
            }
        }
        if announced.count > Self.mostAnnounced { announced = [:] }
        return news
    }

    /// Drops announcements of names that are not in the inbox any more.
    public func forget(_ names: some Sequence<String>) { for name in names { announced[name] = nil } }

    /// For whoever looks at every name whenever there is news.
    public func forgetAll() { announced = [:] }
}
