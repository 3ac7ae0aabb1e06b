import Manifest
import Tasks

extension JobInputs {
    /// Everything that is wrong with what a manifest names, where `init` stops at the first: the base, the task, every
    /// adapter that may be selected, every target's history and queries.
    public static func mistakes(in manifest: JobManifest, names: Names) -> [JobError] {
        var found: [JobError] = []
        func noting<Value>(_ body: () throws(JobError) -> Value) -> Value? {
            do throws(JobError) { return try body() } catch {
                found.append(error)
                return nil
            }
        }
        let base = noting { () throws(JobError) in try Self.base(manifest.base, names) }
        let task = noting { () throws(JobError) in try Self.task(manifest.task, names).definition }
        if let (folder, _) = base, let task {
            let pool = noting { () throws(JobError) in
                try SharerPool(manifest.sharers, base: manifest.base, task: task, folder.config, names: names)
            }
            found += pool?.mistakes ?? []
        }
        for target in noting({ () throws(JobError) in try Self.targets(manifest, names) }) ?? [] {
            _ = noting { () throws(JobError) in
                let user = try target.input.get().user
                guard let task else { return }
                try told {
                    _ = try task.examples(user, recent: manifest.evolve.recent, retrieval: manifest.evolve.retrieval)
                    _ = try task.prompts(user)
                }
            }
        }
        return found
    }
}
