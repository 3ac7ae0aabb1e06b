import Digest
import Posix

/// Tells a job from another: the SHA-256 of all it brought.
public enum JobDigest {
    /// Of a single manifest.
    public static func of(manifest path: String) throws(PosixError) -> String {
        var hash = SHA256()
        try add(file: path, to: &hash)
        return hash.hexadecimal()
    }

    /// Of a folder: the names below it and the files' bytes. The folder must have been surveyed.
    public static func of(folder: String) throws(PosixError) -> String {
        var hash = SHA256()
        try add(folder, below: "", to: &hash)
        return hash.hexadecimal()
    }

    /// Of what may not be read: by its identity on disk, so that it is only ever the same as itself.
    static func of(unreadable path: String) throws(PosixError) -> String {
        let status = try Files.status(path)
        return SHA256.hexadecimal(Array("\(status.device) \(status.inode) \(status.modified)".utf8))
    }

    private static func add(_ folder: String, below: String, to hash: inout SHA256) throws(PosixError) {
        for name in try Files.list(folder) {
            let path = "\(folder)/\(name)"
            if try Files.status(path).kind == .directory {
                try add(path, below: "\(below)\(name)/", to: &hash)
            } else {
                hash.add(Array("\(below)\(name)\0\(try Files.status(path).size)\0".utf8))
                try add(file: path, to: &hash)
            }
        }
    }

    private static func add(file path: String, to hash: inout SHA256) throws(PosixError) {
        let file = try Files.open(path)
        while let piece = try file.read(limit: 1 << 16), !piece.isEmpty { hash.add(piece) }
    }
}
