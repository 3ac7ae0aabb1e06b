/// The mean distance from the reference, by the rules of `Scale`.
struct MeanAbsoluteError: Metric {
    static let name = "MAE"
    static let isError = true
    static let labelNeed = LabelNeed.numbers
    private let scale: Scale

    init(labels: [String]) { scale = Scale(labels) }

    func value(_ predictions: [String], against references: [String]) -> Double {
        scale.differences(predictions, references).reduce(0) { $0 + abs($1) } / Double(predictions.count)
    }
}
