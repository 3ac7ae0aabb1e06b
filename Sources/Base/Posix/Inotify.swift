import Glibc

/// Changes of folders, as the kernel announces them (inotify(7)).
public final class Inotify: Sendable {
    /// Kinds of change in a folder, some of which a watch asks for.
    public struct Changes: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// A file that was open for writing was closed.
        public static let closedAfterWriting = Changes(rawValue: UInt32(IN_CLOSE_WRITE))
        /// A name came into the folder by a rename.
        public static let movedIn = Changes(rawValue: UInt32(IN_MOVED_TO))
        /// Something was made in the folder; what a file is to hold may still be missing.
        public static let created = Changes(rawValue: UInt32(IN_CREATE))
    }

    /// What the kernel tells of a watched folder.
    public enum Event: Sendable, Equatable {
        /// Something happened to `name` in the folder of `watch`.
        case change(watch: Int32, name: String, Changes)
        /// Something happened to a name that is not UTF-8 in the folder of `watch`.
        case undecodable(watch: Int32)
        /// The kernel dropped events: only a scan tells what is there now.
        case overflow
        /// The watched folder itself is gone or its file system was unmounted.
        case ended(watch: Int32)
    }

    /// Readable when events wait.
    public let descriptor: Descriptor

    /// Watches nothing yet; `EMFILE` where the user has as many as the kernel allows.
    public init() throws(PosixError) {
        descriptor = Descriptor(try system("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK)) })
    }

    /// Watches a folder, which may not be a symbolic link.
    /// - Returns: the number its events carry.
    public func watch(_ folder: String, for changes: Changes) throws(PosixError) -> Int32 {
        let mask =
            changes.rawValue | UInt32(IN_ONLYDIR) | UInt32(IN_DONT_FOLLOW) | UInt32(IN_DELETE_SELF)
            | UInt32(IN_MOVE_SELF)
        return try system("inotify_add_watch", folder) { inotify_add_watch(descriptor.number, folder, mask) }
    }

    /// What has happened since the last call; never waits.
    public func events() throws(PosixError) -> [Event] {
        var events: [Event] = []
        while let bytes = try descriptor.read(), !bytes.isEmpty { events += Self.decode(bytes) }
        return events
    }

    /// The events in one read(2) of an inotify descriptor.
    static func decode(_ bytes: [UInt8]) -> [Event] {
        var events: [Event] = []
        let header = MemoryLayout<inotify_event>.size
        let known = ([.closedAfterWriting, .movedIn, .created] as Changes).rawValue
        var offset = 0
        bytes.withUnsafeBytes { buffer in
            while offset + header <= buffer.count {
                let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                let name = buffer[(offset + header)...].prefix(Int(event.len)).prefix { $0 != 0 }
                offset += header + Int(event.len)
                if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                    events.append(.overflow)
                } else if event.mask & UInt32(IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) != 0 {
                    events.append(.ended(watch: event.wd))
                } else if let name = String(validating: name, as: UTF8.self) {
                    events.append(.change(watch: event.wd, name: name, Changes(rawValue: event.mask & known)))
                } else {
                    events.append(.undecodable(watch: event.wd))
                }
            }
        }
        return events
    }
}
