import Posix

/// Why a spool cannot be opened.
public struct SpoolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Whether the folders are unfit, taken, or refused by the system.
    public enum Code: String, Sendable {
        case alreadyServed = "already-served"
        case differentFileSystems = "different-file-systems"
        case foldersOverlap = "folders-overlap"
        case system = "system"
        /// Something was short, or a disk failed: another time it may be had.
        case unavailable
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// The file or folder.
    public let place: String
    /// What was found there, in words.
    public let found: String
    /// What to do about it, in words.
    public let remedy: String

    public var description: String { "\(place): \(found); \(remedy)" }

    init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    init(_ error: PosixError, remedy: String) {
        self.init(error.mayPass ? .unavailable : .system, error.path, found: error.description, remedy: remedy)
    }
}
