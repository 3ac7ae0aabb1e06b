/// A measure of predictions. A new one is a file beside this one and its line in `metricTypes`.
protocol Metric: Sendable {
    /// The name in definitions and reports.
    static var name: String { get }
    /// Whether smaller is better.
    static var isError: Bool { get }
    /// Whether it needs labels, and what they must be.
    static var labelNeed: LabelNeed { get }

    init(labels: [String])

    /// The mean over the pairs, of which there is at least one.
    func value(_ predictions: [String], against references: [String]) -> Double
}

extension Metric {
    static var isError: Bool { false }
}

enum LabelNeed {
    case none
    case any
    case numbers
}

let metricTypes: [any Metric.Type] = [
    Accuracy.self, MacroF1.self, MeanAbsoluteError.self, RootMeanSquaredError.self, Rouge1.self, RougeL.self,
]

/// What a task's metrics say of predictions.
public struct Score: Sendable, Equatable {
    /// What each metric says of all pairs, in the task's order; errors are positive.
    public let metrics: [Double]
    /// The sum of the metrics, errors subtracted: larger is better.
    public let total: Double
}

extension TaskDefinition {
    /// Scores predictions against references: gold answers, or a sharer's predictions for similarity.
    ///
    /// - Parameter references: one a prediction. Without any, every metric is 0.
    public func score(_ predictions: [String], against references: [String]) -> Score {
        let predictions = predictions.map { $0.stripped() }
        let references = references.map { $0.stripped() }
        var values: [Double] = []
        var total = 0.0
        for metric in metrics {
            let value = predictions.isEmpty ? 0 : metric.value(predictions, against: references)
            values.append(value)
            total += type(of: metric).isError ? -value : value
        }
        return Score(metrics: values, total: total)
    }
}
