// MARK: - What happens inside a job: the lines of its log.jsonl

extension Event {
    /// A worker has read the manifest; `attempt` counts all tries at the job, this one included.
    public static func jobStarted(_ job: String, targets: Int, attempt: Int) -> Event {
        Event(.jobStarted, ["job": .id(job), "targets": .count(targets), "attempt": .count(attempt)])
    }

    /// The result is sealed; `status` is result.json's, `seconds` those of this attempt alone.
    public static func jobFinished(_ job: String, status: String, seconds: Double) -> Event {
        Event(.jobFinished, ["job": .id(job), "status": .id(status), "seconds": .duration(seconds)])
    }

    /// A target's sharers are chosen; `history` and `queries` count the user's items.
    public static func targetStarted(user: String, history: Int, queries: Int) -> Event {
        Event(
            .targetStarted,
            ["user": .id(user), "history": .count(history), "queries": .count(queries)])
    }

    /// `sharers`, most alike first, and their cosines to the target; none where they were named by hand.
    public static func sharersSelected(user: String, sharers: [String], similarities: [Double]) -> Event {
        Event(
            .sharersSelected,
            [
                "user": .id(user), "sharers": .identifiers(sharers.map(Identifier.init)),
                "similarities": .scores(similarities),
            ])
    }

    /// The journal of an interrupted run was found; this many evaluations need not be made again.
    public static func runResumed(user: String, evaluations: Int) -> Event {
        Event(.runResumed, ["user": .id(user), "evaluations": .count(evaluations)])
    }

    /// Candidate `evaluation`, from 1, of at most `budget`: `utility` and the mean `similarity` to the sharers over the whole
    /// history, `fitness` over what the search sees of it.
    public static func evaluated(
        user: String, evaluation: Int, of budget: Int, utility: Double, similarity: Double, fitness: Double
    ) -> Event {
        Event(
            .evaluated,
            [
                "user": .id(user), "evaluation": .count(evaluation), "budget": .count(budget),
                "utility": .score(utility), "similarity": .score(similarity), "fitness": .score(fitness),
            ])
    }

    /// A target has its result: the choice's `utility` and mean `similarity` over the history, and the `seconds` of its part in
    /// the run.
    public static func targetFinished(
        user: String, status: String, evaluations: Int, utility: Double, similarity: Double, seconds: Double
    ) -> Event {
        Event(
            .targetFinished,
            [
                "user": .id(user), "status": .id(status),
                "evaluations": .count(evaluations), "utility": .score(utility), "similarity": .score(similarity),
                "seconds": .duration(seconds),
            ])
    }

    /// A target failed by `code`; the words are in result.json.
    public static func targetFailed(user: String, code: String) -> Event {
        Event(.targetFailed, ["user": .id(user), "code": .id(code)])
    }
}
