import Glibc

extension Files {
    /// What `survey` counts in a folder and below.
    public struct Survey: Sendable, Equatable {
        public var files = 0
        public var folders = 0
        /// In bytes, of the regular files.
        public var size = 0
        /// The first thing, by its path below the folder, that is neither a regular file nor a folder, or lies deeper
        /// than allowed.
        public var offender: Offender?

        /// Why a survey ended early; `nameNotUTF8` has the folder of the name, empty for the surveyed one.
        public enum Offender: Sendable, Equatable {
            case symbolicLink(String)
            case special(String)
            case tooDeep(String)
            case nameNotUTF8(in: String)
            case tooMany
        }
    }

    /// Looks through a folder without following anything, at most `depth` folders deep and `entries` names wide.
    public static func survey(_ folder: String, depth: Int = 16, entries: Int = 100_000) throws(PosixError) -> Survey {
        var survey = Survey()
        try add(folder, below: "", depth: depth, entries: entries, to: &survey)
        return survey
    }

    private static func add(
        _ folder: String, below: String, depth: Int, entries: Int, to survey: inout Survey
    ) throws(PosixError) {
        // One more than is allowed tells that there are more.
        let room = max(0, entries - survey.files - survey.folders)
        let listing = try listing(folder, limit: room == .max ? .max : room + 1)
        if listing.undecodable > 0 {
            survey.offender = .nameNotUTF8(in: below)
            return
        }
        for name in listing.names where survey.offender == nil {
            let path = below.isEmpty ? name : "\(below)/\(name)"
            let status = try status("\(folder)/\(name)")
            guard survey.files + survey.folders < entries else {
                survey.offender = .tooMany
                return
            }
            switch status.kind {
            case .regular:
                survey.files += 1
                // Holes make a file as large as one likes.
                let (sum, isTooLarge) = survey.size.addingReportingOverflow(status.size)
                survey.size = isTooLarge ? .max : sum
            case .directory:
                survey.folders += 1
                if depth == 0 {
                    survey.offender = .tooDeep(path)
                } else {
                    try add("\(folder)/\(name)", below: path, depth: depth - 1, entries: entries, to: &survey)
                }
            case .symbolicLink: survey.offender = .symbolicLink(path)
            case .special: survey.offender = .special(path)
            }
        }
    }

    /// Makes everything below `folder`, and `folder` itself, survive a power cut: files first, then the folders that name
    /// them.
    public static func sync(tree folder: String) throws(PosixError) {
        for name in try list(folder) {
            let path = "\(folder)/\(name)"
            switch try status(path).kind {
            case .directory: try sync(tree: path)
            case .regular: try sync(file: path)
            case .symbolicLink, .special: continue
            }
        }
        try sync(directory: folder)
    }

    /// Removes `path` and everything below it; symbolic links are removed, never followed. Fine where it does not exist.
    ///
    /// However deep it is: what lies deeper than a few levels is moved up first, so that neither descriptors nor the stack run
    /// out. `ENOTEMPTY` where somebody else goes on filling it.
    public static func removeTree(_ path: String) throws(PosixError) {
        guard try !removeName(path, in: AT_FDCWD, path: path) else { return }
        let root = try open(folder: path, in: AT_FDCWD, path: path)
        var moved = 0
        for _ in 0..<10_000 {
            let before = moved
            try empty(root, of: root, depth: 0, path: path, &moved)
            if moved == before { break }
        }
        try system("rmdir", path) { unlinkat(AT_FDCWD, path, AT_REMOVEDIR) }
    }

    /// Removes a folder in one step: another name, then its removal, which may be cut short or refused; see `finishRetiring`.
    public static func retire(_ path: String) throws(PosixError) {
        let above = parent(of: path)
        var retired = retiredPath(of: path)
        if try isPresent(path) {
            // One that cannot be removed stands in no other's way.
            if (try? removeTree(retired)) == nil {
                retired = "\(above)/.\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
            }
            try rename(path, to: retired)
        }
        // What the disk refuses from here on is no reason to do anything again: `finishRetiring` removes what is left.
        try? sync(directory: above)
        try? removeTree(retired)
    }

    /// Removes what a removal that was cut short left beside `path`.
    public static func finishRetiring(_ path: String) { try? removeTree(retiredPath(of: path)) }

    private static func retiredPath(of path: String) -> String { "\(parent(of: path))/.\(name(of: path)).tmp" }

    /// - Parameters:
    ///   - root: where folders deeper than a few levels are moved to.
    ///   - moved: how many that were.
    private static func empty(
        _ folder: Descriptor, of root: Descriptor, depth: Int, path: String, _ moved: inout Int
    ) throws(PosixError) {
        // Entries may vanish from under a listing that is still read; so read it whole first.
        var names: [[CChar]] = []
        // Not a copy of the descriptor, which would go on reading where the last listing ended.
        let listed = try system("open", path) { openat(folder.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        try forEachEntry(of: listed, path: path) {
            names.append(Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)))
            return true
        }
        for name in names where try !removeName(name, in: folder.number, path: path) {
            if depth < 16 {
                let inner = try open(folder: name, in: folder.number, path: path)
                try empty(inner, of: root, depth: depth + 1, path: path, &moved)
                try system("rmdir", path) { unlinkat(folder.number, name, AT_REMOVEDIR) }
            } else {
                moved += 1
                let place = String(UInt64.random(in: .min ... .max), radix: 36)
                try system("rename", path) { renameat(folder.number, name, root.number, place) }
            }
        }
    }

    /// - Returns: false for a folder, which is still there.
    private static func removeName(
        _ name: UnsafePointer<CChar>, in folder: Int32, path: String
    ) throws(PosixError) -> Bool {
        try willChange("unlink", path)
        if unlinkat(folder, name, 0) == 0 || errno == ENOENT { return true }
        guard errno == EISDIR || errno == EPERM else { throw PosixError(call: "unlink", path: path, errno: errno) }
        return false
    }

    private static func open(
        folder name: UnsafePointer<CChar>, in folder: Int32, path: String
    ) throws(PosixError) -> Descriptor {
        Descriptor(
            try system("open", path) { openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) })
    }
}
