/// When a job will be done, from what it has done so far in this attempt.
///
/// Work is counted in predictions, so that targets with long histories weigh more. The pace is that of the later half of the
/// time, since a machine has other things to do, too. Nothing is said before there is something to go by.
struct Estimate {
    /// Predictions to be made in this attempt.
    private let total: Double
    /// Predictions made by a time, in order; the first is the start.
    private var marks: [(time: Double, done: Double)]
    /// The mark of half the time.
    private var middle = 0
    /// When the job will be done, as it looked when something was last done.
    private var end: Double?

    init(total: Double, start: Double) {
        self.total = total
        marks = [(start, 0)]
    }

    var done: Double { marks[marks.count - 1].done }

    /// - Parameter done: predictions made since the start.
    mutating func note(done: Double, at time: Double) {
        guard done > self.done, time > marks[marks.count - 1].time else { return }
        marks.append((time, done))
        let half = (marks[0].time + time) / 2
        while marks[middle + 1].time <= half { middle += 1 }
        let since = marks[middle]
        end = time + max(0, total - done) * (time - since.time) / (done - since.done)
    }

    /// Seconds.
    func remaining(at time: Double) -> Double? { end.map { max(0, $0 - time) } }
}
