/// When a job will be done, from what it has done so far in this attempt.
///
/// Work is counted in predictions, so that targets with long histories weigh more. Nothing is said before there is
/// something to go by.
struct Estimate {
    /// Predictions to be made in this attempt.
    private let total: Double
    private let start: Double
    private(set) var done = 0.0
    /// When the job will be done, as it looked when something was last done.
    private var end: Double?

    init(total: Double, start: Double) {
        self.total = total
        self.start = start
    }

    /// - Parameter done: predictions made since the start.
    mutating func note(done: Double, at time: Double) {
        guard done > self.done, time > start else { return }
        self.done = done
        end = time + max(0, total - done) * (time - start) / done
    }

    /// Seconds.
    func remaining(at time: Double) -> Double? { end.map { max(0, $0 - time) } }
}
