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
        manifest = try JobManifest(try Files.read(path, limit: site.limits.manifestSize), file: operand)
        id = JobID(written: manifest.id, fileName: name)
        if isFolder { try Self.requireFit(source, site.limits) }
        // How much a job may bring is the inbox's concern.
        digest =
            try isFolder
            ? JobDigest.of(folder: source, limit: .max) : JobDigest.of(manifest: source, limit: .max)
    }

    /// Refuses what the daemon would refuse, but for the size, which is the inbox's concern.
    private static func requireFit(_ folder: String, _ limits: Spool.Limits) throws {
        let survey = try Files.survey(folder, entries: limits.files)
        switch survey.offender {
        case nil: break
        case .symbolicLink(let path), .special(let path):
            throw Failure(Exit.badData, "\(folder)/\(path): no regular file; a job has files and folders only")
        case .tooDeep(let path): throw Failure(Exit.badData, "\(folder)/\(path): deeper than the 16 levels of a job")
        case .nameNotUTF8(let path): throw Failure(Exit.badData, "\(folder)/\(path): a name that is not UTF-8")
        case .tooMany: throw Failure(Exit.badData, "\(folder): more than the \(limits.files) files of a job")
        }
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
