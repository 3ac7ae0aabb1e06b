import Digest
import Glibc
import Posix

/// Tells a job from another: the SHA-256 of all it brought.
public enum JobDigest {
    /// Of a single manifest; `EFBIG` beyond `limit` bytes.
    public static func of(manifest path: String, limit: Int) throws(PosixError) -> String {
        var sum = Sum(left: limit)
        try sum.add(file: path)
        return sum.hash.hexadecimal()
    }

    /// Of a folder: the names below it and the files' bytes. The folder must have been surveyed; `EFBIG` where more than
    /// `limit` bytes came to be in it since.
    public static func of(folder: String, limit: Int) throws(PosixError) -> String {
        var sum = Sum(left: limit)
        try sum.add(folder, below: "")
        return sum.hash.hexadecimal()
    }

    /// Of what may not be read: by its identity on disk, so that it is only ever the same as itself.
    static func of(unreadable path: String) throws(PosixError) -> String {
        let status = try Files.status(path)
        return SHA256.hexadecimal(Array("\(status.device) \(status.inode) \(status.modified)".utf8))
    }

    /// Whoever dropped the files can make them grow while they are read, without end and of holes.
    private struct Sum {
        var hash = SHA256()
        /// Bytes of files that may still come.
        var left: Int

        mutating func add(_ folder: String, below: String) throws(PosixError) {
            for name in try Files.list(folder) {
                let path = "\(folder)/\(name)"
                let status = try Files.status(path)
                if status.kind == .directory {
                    try add(path, below: "\(below)\(name)/")
                } else {
                    hash.add(Array("\(below)\(name)\0\(status.size)\0".utf8))
                    try add(file: path)
                }
            }
        }

        mutating func add(file path: String) throws(PosixError) {
            let file = try Files.open(path)
            while let piece = try file.read(limit: 1 << 16), !piece.isEmpty {
                left -= piece.count
                guard left >= 0 else { throw PosixError(call: "read", path: path, errno: EFBIG) }
                hash.add(piece)
            }
        }
    }
}
