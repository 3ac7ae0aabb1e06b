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

    /// - Parameter limits: what the job may bring; what stays where it is may be of any size.
    init(_ operand: String, _ limits: Spool.Limits) throws {
        path = try manifestPath(operand)
        isFolder = Files.isDirectory(operand)
        source = isFolder ? Files.canonical(Files.parent(of: path)) : path
        let last = Files.name(of: source)
        name = isFolder || last.hasSuffix(".json") ? last : "\(last).json"
        if isFolder, let offence = try limits.offence(in: source) {
            throw Failure(Exit.badData, "\(offence.place(in: source)): \(offence.message)")
        }
        manifest = try JobManifest(try manifestBytes(path, limits), file: operand)
        id = JobID(written: manifest.id, fileName: name)
        digest =
            try isFolder
            ? JobDigest.of(folder: source, limit: .max) : JobDigest.of(manifest: source, limit: .max)
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
