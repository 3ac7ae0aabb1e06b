import Glibc
import Glibc
import Manifest
import Posix

/// Finds what a manifest names: below its own folder first, then below the configured root of its kind.
///
/// A path never leaves the folder it is relative to, and no part of it may be a symbolic link: the inbox is written by
/// others.
public struct Names: Sendable {
    /// The manifest's folder; nil where others write into it beside the manifest.
    public let folder: String?
    public let configuration: Configuration

    public init(folder: String?, configuration: Configuration) {
        self.folder = folder
        self.configuration = configuration
    }

    /// What a name is looked for as, in the words of messages.
    public enum Kind: String, Sendable {
        case model, pool, task, adapter, history
        case users = "file of users"
        case profiles = "file of profiles"
        case embeddings = "file of embeddings"
        case queries = "file of queries"
    }

    private func roots(_ kind: Kind) -> [String] {
        let root =
            switch kind {
            case .model: configuration.models
            case .pool, .adapter: configuration.pools
            case .task: configuration.tasks
            case .history, .users, .profiles, .embeddings, .queries: configuration.histories
            }
        return [folder, root].compactMap { $0 }
    }

    /// The path of a folder that `name` means.
    public func folder(_ name: String, _ kind: Kind, place: String) throws(JobError) -> String {
        try path(name, kind, is: .directory, place: place)
    }

    /// The path of a file that `name` means.
    public func path(_ name: String, _ kind: Kind, place: String) throws(JobError) -> String {
        try path(name, kind, is: .regular, place: place)
    }

    private func path(
        _ name: String, _ kind: Kind, is wanted: Files.Kind, place: String
    ) throws(JobError) -> String {
        for root in roots(kind) {
            let path = "\(root)/\(name)"
            guard let status = try status(path, of: kind, name, place: place) else { continue }
            try refuseLinks(name, kind, below: root, place: place)
            guard status.kind == wanted else {
                let words = wanted == .directory ? "folder" : "regular file"
                throw JobError(
                    code: "not-found", place: place,
                    message: "\(Self.shown(name, kind)) is no \(words); a \(kind.rawValue) is one")
            }
            return path
        }
        throw missing(name, kind, place)
    }

    /// The bytes of a file that `name` means, and its name for messages.
    public func file(_ name: String, _ kind: Kind, limit: Int, place: String) throws(JobError) -> [UInt8] {
        for root in roots(kind) where try status("\(root)/\(name)", of: kind, name, place: place) != nil {
            do throws(PosixError) {
                return try Files.read(name, beneath: root, limit: limit)
            } catch {
                throw JobError(
                    code: "unreadable", place: place,
                    message:
                        "\(Self.shown(name, kind)) \(Self.words(of: error)); name a regular file of at most \(limit) bytes",
                    isPermanent: !error.mayPass)
            }
        }
        throw missing(name, kind, place)
    }

    /// Why a file cannot be read.
    private static func words(of error: PosixError) -> String {
        switch error.errno {
        case EINVAL: "is no regular file"
        case ELOOP: "goes through a symbolic link"
        case EFBIG: "is larger"
        default: "cannot be read (\(error.reason))"
        }
    }

    /// Whether a configured root has something of this name for a job's sharers or targets.
    public func isBelowRoots(_ name: String) -> Bool {
        [configuration.pools, configuration.histories].contains { Files.exists("\($0)/\(name)") }
    }

    /// What is at `path`, which is `name` below a root, or a folder on the way there; nil for nothing.
    private func status(
        _ path: String, of kind: Kind, _ name: String, place: String
    ) throws(JobError) -> Files.Status? {
        do throws(PosixError) { return try Files.statusIfPresent(path) } catch {
            let isForbidden = [EACCES, EPERM].contains(error.errno)
            throw JobError(
                code: "unreadable", place: place,
                message: "\(Self.shown(name, kind)) cannot be looked at (\(error.reason)); "
                    + (isForbidden ? "give the daemon's user the right to" : "see to the disk"),
                isPermanent: isForbidden)
        }
    }

    /// A name for messages. Where a history or queries belong, it may be no path, but the text itself.
    private static func shown(_ name: String, _ kind: Kind) -> String {
        [.history, .queries].contains(kind) && !isPlainPath(name) ? "what is named" : name
    }

    private func missing(_ name: String, _ kind: Kind, _ place: String) -> JobError {
        let isShown = Self.shown(name, kind) == name
        return JobError(
            code: "not-found", place: place,
            message: "there is no \(kind.rawValue) \(isShown ? name : "of that name"); looked in "
                + roots(kind).joined(separator: " and "))
    }

    private func refuseLinks(_ name: String, _ kind: Kind, below root: String, place: String) throws(JobError) {
        var path = root
        for part in Files.components(of: name) {
            path += "/\(part)"
            guard try status(path, of: kind, name, place: place)?.kind != .symbolicLink else {
                throw JobError(
                    code: "escape", place: place,
                    message: "\(Self.shown(name, kind)) goes through a symbolic link; name the place itself")
            }
        }
    }
}
