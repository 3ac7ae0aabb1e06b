import Manifest
import Methods
import Tasks

extension JobInputs {
    /// Everything that is wrong with what a manifest names, where `init` stops at the first, and with the search that it asks
    /// for: the base, the task, every adapter that may be selected, every target's history, queries and embedding, the
    /// number of sharers and of weights.
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
        let targets = noting { () throws(JobError) in try Self.targets(manifest, names) } ?? []
        let misplaced = SharerPool.misplaced(manifest.sharers, names: names)
        found += misplaced
        if misplaced.isEmpty, let (folder, _) = base, let task {
            let pool = noting { () throws(JobError) in
                try SharerPool(manifest.sharers, base: manifest.base, task: task, folder.config, names: names)
            }
            if let pool {
                found += pool.mistakes
                let ofTargets = pool.mistakes(of: targets, base: manifest.base, width: folder.config.hiddenSize)
                // What is wrong with the pool itself stops every target.
                for mistake in ofTargets where !found.contains(mistake) { found.append(mistake) }
                found += searchMistakes(manifest, sharers: pool.counts.each, layers: folder.config.layers)
            }
        }
        for target in targets {
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

    private static func searchMistakes(_ manifest: JobManifest, sharers: Int, layers: Int) -> [JobError] {
        do throws(MethodError) {
            try Settings(manifest).requireSearchable(sharers: sharers, layers: layers)
            return []
        } catch {
            return [
                JobError(
                    code: error.code.name, place: "manifest: evolve.granularity",
                    message:
                        "\(error.found), one for each of \(sharers) sharers in each of \(layers) layers; \(error.remedy)"
                )
            ]
        }
    }
}
