// MARK: - What happens inside a job: the lines of its log.jsonl

extension Event {
    public static func jobStarted(_ job: String, targets: Int, attempt: Int) -> Event {
        Event(.jobStarted, ["job": .id(job), "targets": .count(targets), "attempt": .count(attempt)])
    }

    public static func jobFinished(_ job: String, status: String, seconds: Double) -> Event {
        Event(.jobFinished, ["job": .id(job), "status": .id(status), "seconds": .duration(seconds)])
    }

    public static func targetStarted(user: String, history: Int, queries: Int) -> Event {
        Event(
            .targetStarted,
            ["user": .id(user), "history": .count(history), "queries": .count(queries)])
    }

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
