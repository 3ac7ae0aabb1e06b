import Glibc
import Manifest
import Posix
import Spool
import Worker

/// A manifest as an operand names it, a file or a folder with manifest.json: what it would be called in the inbox, and which
/// job that is.
struct Submission {
    let manifest: JobManifest
    /// Absolute.
    let path: String
    let isFolder: Bool
    /// What would be dropped: the file, or the folder.
    let source: String
    /// What that would be called in the inbox.
    let name: String
    let id: JobID
    /// Tells this job from another of the same id.
    let digest: String

    init(_ operand: String, _ site: Site) throws {
        path = try manifestPath(operand)
        isFolder = Files.isDirectory(operand)
        source = isFolder ? Files.canonical(Files.parent(of: path)) : path
        let last = Files.name(of: source)
        name = isFolder || last.hasSuffix(".json") ? last : "\(last).json"
        manifest = try JobManifest(try manifestBytes(path, site.limits), file: operand)
        id = JobID(written: manifest.id, fileName: name)
        if isFolder { try Self.requireFit(source, site.limits, size: .max) }
        // How much a job may bring is the inbox's concern.
        digest =
            try isFolder
            ? JobDigest.of(folder: source, limit: .max) : JobDigest.of(manifest: source, limit: .max)
    }

    /// Refuses a folder with an offence.
    static func requireFit(_ folder: String, _ limits: Spool.Limits, size: Int) throws {
        guard let offence = try offence(in: folder, limits, size: size) else { return }
        throw Failure(Exit.badData, "\(([folder] + offence.path).joined(separator: "/")): \(offence.words)")
    }

    /// What the daemon refuses a folder for: the code of its result, where in the folder, and what was found.
    ///
    /// - Parameter size: bytes of all files at most. That is the inbox's concern: what stays where it is may have more.
    static func offence(
        in folder: String, _ limits: Spool.Limits, size: Int
    ) throws(PosixError) -> (code: String, path: [String], words: String)? {
        let survey = try Files.survey(folder, entries: limits.files)
        switch survey.offender {
        case .symbolicLink(let path):
            return ("symbolic-link", [path], "is a symbolic link; a job has files and folders only")
        case .special(let path):
            return ("special-file", [path], "is a FIFO, a socket or a device; a job has files and folders only")
        case .tooDeep(let path): return ("too-deep", [path], "is deeper than the 16 levels of a job; nest it less")
        case .nameNotUTF8(let path): return ("name-not-utf8", [path], "holds a name that is not UTF-8; rename it")
        case .tooMany:
            return ("too-many-files", [], "more than the \(limits.files) files of a job; drop fewer at a time")
        case nil where survey.size > size:
            return ("too-large", [], "\(survey.size) bytes; a job takes \(size) at most in an inbox, so split it")
        case nil: return nil
        }
    }
}

/// A manifest's bytes. What is no manifest for its kind or size is `Failure` 65.
func manifestBytes(_ path: String, _ limits: Spool.Limits) throws -> [UInt8] {
    do throws(PosixError) { return try Files.read(path, limit: limits.manifestSize) } catch {
        guard let words = manifestOffence(error, limits) else { throw error }
        throw Failure(Exit.badData, "\(path): \(words)")
    }
}

/// Why a file that cannot be read can be no manifest, in words; nil where the fault is not the file's.
func manifestOffence(_ error: PosixError, _ limits: Spool.Limits) -> String? {
    switch error.errno {
    case ELOOP: "is a symbolic link; name the file itself"
    case EINVAL: "is no regular file; a manifest is one"
    case EFBIG: "has more than \(limits.manifestSize) bytes; move histories into files of their own"
    default: nil
    }
}

/// The absolute path of the manifest that an operand means: the file itself, or manifest.json in the folder.
func manifestPath(_ operand: String) throws -> String {
    let isFolder = Files.isDirectory(operand)
    let path = isFolder ? "\(operand)\(operand.utf8.last == UInt8(ascii: "/") ? "" : "/")manifest.json" : operand
    guard let status = try Files.statusIfPresent(path) else {
        throw Failure(Exit.noInput, "\(path): there is no such manifest")
    }
    guard [.regular, .symbolicLink].contains(status.kind) else {
        throw Failure(Exit.noInput, "\(path): no regular file; a manifest is one")
    }
    return Files.isAbsolute(path) ? path : "\(currentFolder())/\(path)"
}
