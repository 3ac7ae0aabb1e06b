import Glibc
import Posix

/// Why what was dropped, or is to be, may not even be read.
public struct Offence: Sendable, Equatable {
    /// The `error.code` of a result, see docs/FORMATS.md.
    public let code: String
    /// Below the folder; empty for the folder itself.
    public let path: String
    /// What was found and what would be right, in words.
    public let message: String

    init(_ code: String, _ path: String, _ message: String) {
        self.code = code
        self.path = path
        self.message = message
    }

    /// A file, or a folder, that the disk or its rights do not give.
    init(_ error: PosixError, _ path: String) {
        self.init(
            "unreadable", path,
            error.errno == EACCES
                ? "the daemon may not read this; give its user the right to"
                : "it cannot be read (\(error.call): \(error.reason)); drop regular files that can")
    }

    /// The place of what was found, where the folder has that name.
    public func place(in folder: String) -> String { path.isEmpty ? folder : "\(folder)/\(path)" }
}

extension Spool.Limits {
    /// Looks through a folder with a manifest before anything in it is read; nil where nothing speaks against that.
    public func offence(in folder: String) throws(PosixError) -> Offence? {
        let survey: Files.Survey
        do throws(PosixError) { survey = try Files.survey(folder, entries: files) } catch  where !error.mayPass {
            return Offence(error, "")
        }
        switch survey.offender {
        case .symbolicLink(let path):
            return Offence("symbolic-link", path, "is a symbolic link; drop the file itself")
        case .special(let path):
            return Offence("special-file", path, "is a FIFO, a socket or a device; drop a regular file")
        case .tooDeep(let path): return Offence("too-deep", path, "is nested too deeply; 16 levels are allowed")
        case .nameNotUTF8(let path): return Offence("name-not-utf8", path, "holds a name that is not UTF-8; rename it")
        case .tooMany: return Offence("too-many-files", "", "more than \(files) files; drop fewer at a time")
        case nil: break
        }
        let manifest = try Files.statusIfPresent("\(folder)/manifest.json")
        guard let manifest, manifest.kind == .regular else {
            return Offence("manifest-missing", "manifest.json", "there is no such file in the folder; add it")
        }
        if manifest.size > manifestSize {
            return Offence(
                "too-large", "manifest.json",
                "\(manifest.size) bytes where \(manifestSize) are allowed; move histories into files of their own")
        }
        if survey.size > folderSize {
            return Offence("too-large", "", "\(survey.size) bytes where \(folderSize) are allowed; split the job")
        }
        return nil
    }
}
