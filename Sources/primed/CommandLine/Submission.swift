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
        source = isFolder ? canonical(Files.parent(of: path)) : path
        let last = Files.name(of: source)
        name = isFolder || last.hasSuffix(".json") ? last : "\(last).json"
        manifest = try JobManifest(try Files.read(path, limit: site.limits.manifestSize), file: operand)
        id = try JobFolder(path: "", manifest: name).id(written: manifest.id)
        digest = try isFolder ? JobDigest.of(folder: source) : JobDigest.of(manifest: source)
    }
}

/// The absolute path of the manifest that an operand means: the file itself, or manifest.json in the folder.
func manifestPath(_ operand: String) throws -> String {
    let isFolder = Files.isDirectory(operand)
    let path = isFolder ? "\(operand)\(operand.hasSuffix("/") ? "" : "/")manifest.json" : operand
    guard let status = try Files.statusIfPresent(path) else {
        throw Failure(Exit.noInput, "\(path): there is no such manifest")
    }
    guard [.regular, .symbolicLink].contains(status.kind) else {
        throw Failure(Exit.noInput, "\(path): no regular file; a manifest is one")
    }
    return path.hasPrefix("/") ? path : "\(currentFolder())/\(path)"
}
