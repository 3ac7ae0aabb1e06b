extension JobManifest {
    /// The files and folders that the manifest names and that may travel beside it, with the fields that name them.
    ///
    /// The base, the pool and the task may, too, but are the site's own in all but experiments.
    public var companions: [(field: String, name: String)] {
        var found: [(field: String, name: String)] = []
        if case .adapters(let list) = sharers {
            found += list.enumerated().map { ("sharers[\($0)].adapter", $1.adapter) }
        }
        switch targets {
        case .file(let file):
            found.append(("targets", file.users))
            found += file.profiles.map { [("targets.profiles", $0)] } ?? []
            found += file.embeddings.map { [("targets.embeddings", $0)] } ?? []
        case .list(let list):
            for (index, target) in list.enumerated() {
                if case .file(let name) = target.history { found.append(("targets[\(index)].history", name)) }
                if case .file(let name) = target.queries { found.append(("targets[\(index)].queries", name)) }
            }
        }
        return found
    }
}
