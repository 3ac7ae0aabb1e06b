import Glibc

// Paths by their words. By bytes, as the kernel reads them: to a String, a slash before a combining mark is none.
extension Files {
    private static let slash = UInt8(ascii: "/")

    public static func isAbsolute(_ path: String) -> Bool { path.utf8.first == slash }

    /// The folder a path is in: `.` for a bare name.
    public static func parent(of path: String) -> String {
        guard let last = path.utf8.lastIndex(of: slash) else { return "." }
        return last == path.startIndex ? "/" : String(path[..<last])
    }

    /// The last component of a path.
    public static func name(of path: String) -> String {
        path.utf8.lastIndex(of: slash).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    /// What stands between a path's slashes, without what is empty.
    public static func components(of path: String) -> [String] {
        path.utf8.split(separator: slash).map { String(Substring($0)) }
    }

    /// The absolute path that `path` leads to, symbolic links followed; what is not there is taken to be in the place of its
    /// nearest folder that is.
    public static func canonical(_ path: String) -> String {
        if let found = realpath(path, nil) {
            defer { free(found) }
            return String(cString: found)
        }
        let parent = parent(of: path)
        return parent == path ? path : "\(canonical(parent))/\(name(of: path))"
    }
}
