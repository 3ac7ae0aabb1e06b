import Posix

/// The folder of results: each under its job's id, there from one rename on.
public struct Outbox: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// Which manifest a result answers, in the result's folder.
    private static let digestFile = ".digest"

    /// The digest of the job whose result has `name`, empty for a folder that no spool made, nil where there is none.
    public func digest(of name: String) throws(PosixError) -> String? {
        guard try Files.isPresent("\(path)/\(name)") else { return nil }
        let bytes = try Files.readIfPresent("\(path)/\(name)/\(Self.digestFile)", limit: 100) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// The name of the result that answers a job: its id, or, where another job had that id first, its `rejected` name. Nil
    /// while there is none.
    public func name(of id: JobID, digest: String) throws(PosixError) -> String? {
        for name in [id.description, Self.rejectedName(id.description, digest: digest)]
        where try self.digest(of: name) == digest { return name }
        return nil
    }

    /// Where a foreground run of a manifest works, so that an interrupted one finds its journal again. Take its lock first.
    public func workFolder(for id: JobID, manifest: String) -> JobFolder {
        JobFolder(path: "\(path)/.\(id).run", manifest: manifest)
    }

    /// The name for what comes second under an id.
    static func rejectedName(_ id: String, digest: String) -> String { "\(id).rejected-\(digest.prefix(12))" }

    /// Gives a sealed result its name here, and removes the job's folder.
    ///
    /// May be stopped at any call and done again. Where the name is taken by another job's result, the result gets its
    /// `rejected` name instead.
    ///
    /// - Parameter keepsJob: whether what was dropped moves into the result; if not, it is removed.
    /// - Returns: the name it has.
    @discardableResult
    public func publish(
        _ folder: JobFolder, as name: String, digest: String, keepsJob: Bool
    ) throws(PosixError) -> String {
        if try !Files.isPresent(folder.publication) {
            let record = Publication(name: name, digest: digest, keepsJob: keepsJob)
            try Files.writeAtomically(record.encoded, to: folder.publication)
        }
        return try finishPublishing(folder) ?? name
    }

    /// Goes on with a publication that was begun; nil where none was.
    func finishPublishing(_ folder: JobFolder) throws(PosixError) -> String? {
        guard let bytes = try Files.readIfPresent(folder.publication, limit: 4096), let record = Publication(bytes)
        else {
            return nil
        }
        var name = record.name
        if try Files.isPresent(folder.result) {
            if record.keepsJob, try Files.isPresent(folder.job) { try keepJob(folder) }
            // Written beside the result, where a torn temporary file will not be published.
            try Files.writeAtomically(Array("\(record.digest)\n".utf8), to: "\(folder.path)/digest")
            try Files.rename("\(folder.path)/digest", to: "\(folder.result)/\(Self.digestFile)")
            try Files.sync(directory: folder.result)
            if let taken = try digest(of: name), taken != record.digest {
                name = Self.rejectedName(name, digest: record.digest)
            }
            if try digest(of: name) == nil {
                try Files.rename(folder.result, to: "\(path)/\(name)", replacing: false)
                try Files.sync(directory: path)
            }
        }
        try retire(folder)
        return name
    }

    /// Moves what was dropped next to `result.json`: a single file as `manifest.json`, a folder as `job`.
    private func keepJob(_ folder: JobFolder) throws(PosixError) {
        let kept = try Files.listing(folder.job)
        if kept == Files.Listing() { return }
        let isSingleFile = kept == Files.Listing(names: ["manifest.json"])
        var place = "\(folder.result)/\(isSingleFile ? "manifest.json" : "job")"
        while try Files.isPresent(place) { place += "_" }
        try Files.rename(isSingleFile ? folder.manifest : folder.job, to: place, replacing: false)
    }

    /// Removes a job's folder; from the first call on it counts for nothing.
    func retire(_ folder: JobFolder) throws(PosixError) {
        let above = Files.parent(of: folder.path)
        let retired = "\(above)/.\(Files.name(of: folder.path)).tmp"
        if try Files.isPresent(folder.path) { try Files.rename(folder.path, to: retired) }
        // What the disk refuses from here on is no reason to do anything again: recovery removes what is left.
        try? Files.sync(directory: above)
        try? Files.removeTree(retired)
    }
}

/// The record of a publication under way.
private struct Publication {
    let name: String
    let digest: String
    let keepsJob: Bool

    init(name: String, digest: String, keepsJob: Bool) {
        (self.name, self.digest, self.keepsJob) = (name, digest, keepsJob)
    }

    init?(_ bytes: [UInt8]) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        guard lines.count == 3 else { return nil }
        self.init(name: lines[0], digest: lines[1], keepsJob: lines[2] == "keep")
    }

    var encoded: [UInt8] { Array("\(name)\n\(digest)\n\(keepsJob ? "keep" : "remove")\n".utf8) }
}
