import Glibc
import Posix

/// What is wrong with a model or adapter on disk.
public struct CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The raw value is the `error.code` of a result, see docs/FORMATS.md.
    public enum Code: String, Sendable {
        /// A file is missing, or is none that can be read.
        case unreadable
        /// A disk failed or something was short: the same file may do another time.
        case unavailable
        /// A file is shorter than it says, or its ranges do not fit it.
        case truncated
        /// The header or JSON is not what the format allows.
        case malformed
        /// A tensor that the model needs is not there.
        case missingTensor = "missing-tensor"
        /// A tensor that nothing knows.
        case unknownTensor = "unknown-tensor"
        case wrongShape = "wrong-shape"
        /// NaN or infinity among the numbers.
        case notFinite = "not-finite"
        /// A feature that primed does not have, by name.
        case unsupported
        /// Two statements that exclude each other.
        case contradiction
        /// A path that leaves its folder or is a symbolic link.
        case escape
    }

    /// The kind of fault, for programs.
    public let code: Code
    /// File, and the field or tensor in it.
    public let place: String
    /// What was found there, in words.
    public let found: String
    /// What to do about it, in words.
    public let remedy: String

    public init(_ code: Code, _ place: String, found: String, remedy: String) {
        self.code = code
        self.place = place
        self.found = found
        self.remedy = remedy
    }

    /// A file that could not be opened.
    init(opening path: String, _ error: PosixError) {
        switch error.errno {
        case ELOOP:
            self.init(
                .escape, path, found: "a symbolic link",
                remedy: "put the file itself there; cp -rL copies a folder with its links resolved")
        case EINVAL, EISDIR:
            self.init(.unreadable, path, found: "no regular file", remedy: "give a regular file")
        case _ where error.mayPass:
            self.init(.unavailable, path, found: error.reason, remedy: "see to the disk, or wait")
        default:
            self.init(.unreadable, path, found: error.reason, remedy: "give a regular file that primed may read")
        }
    }

    public var description: String { "\(place): \(found); \(remedy)" }
}
