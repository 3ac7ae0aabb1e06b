import Checkpoints
import Manifest
import Methods
import Tasks

extension SharerPool {
    /// The sharers of one target, most similar first.
    ///
    /// - Parameters:
    ///   - embedding: the target's place in the pool's embedding space; nil to take the base's encoding of its history.
    ///   - encoded: that encoding.
    func select(
        _ embedding: [Float]?, user: String, base: String, encoded: () throws(JobError) -> [Float]
    ) throws(JobError) -> [Sharer] {
        guard selects, embedding == nil else { return try select(embedding, user: user) }
        try requireEncoder(base: base, user: user)
        return try select(try encoded(), user: user)
    }

    /// What the selection would refuse of targets, found without the model: any vector of the base's width stands for its
    /// encoding of a history.
    ///
    /// - Parameter width: of the base's hidden states.
    func mistakes(of targets: [JobInputs.Target], base: String, width: Int) -> [JobError] {
        let encoding = [Float](repeating: 1, count: width)
        func refusal(_ user: String, _ embedding: [Float]?) -> JobError? {
            do throws(JobError) {
                _ = try select(embedding, user: user, base: base) { encoding }
                return nil
            } catch {
                return error
            }
        }
        let tooFew = MethodError.Code.noSharers.name
        let top = "manifest: sharers.top_k"
        // A target that is no member, as nobody without a name is, has all of them to choose from.
        if let error = refusal("", encoding), error.code == tooFew { return [error.moved(to: top)] }
        return targets.compactMap { target in
            guard let (user, embedding) = try? target.input.get(), let error = refusal(user.id, embedding) else {
                return nil
            }
            if error.code == tooFew {
                return JobError(
                    code: tooFew, place: top,
                    message: "for user \(user.id), who is a sharer of the pool: \(error.message)")
            }
            return error.place == "user \(user.id)" ? error.moved(to: target.embeddingPlace) : error
        }
    }

    /// A pool of the site as a job finds it: the members that may be used today, and everything that is wrong with it.
    ///
    /// - Parameters:
    ///   - base: a job's, and `config` the same base's.
    ///   - task: a job's.
    public static func survey(
        _ name: String, base: String, task: TaskDefinition, _ config: LlamaConfig, names: Names
    ) -> (usable: Int, mistakes: [JobError]) {
        do throws(JobError) {
            let pool = try SharerPool(.pool(name, top: 1), base: base, task: task, config, names: names)
            return (pool.counts.all, pool.mistakes)
        } catch {
            return (0, [error])
        }
    }
}

extension JobError {
    fileprivate func moved(to place: String) -> JobError {
        JobError(code: code, place: place, message: message, isPermanent: isPermanent)
    }
}
