/// The root of the mean squared distance from the reference, by the rules of `Scale`.
struct RootMeanSquaredError: Metric {
    static let name = "RMSE"
    static let isError = true
    static let labelNeed = LabelNeed.numbers
    private let scale: Scale

    init(labels: [String]) { scale = Scale(labels) }

    func value(_ predictions: [String], against references: [String]) -> Double {
        let sum = scale.differences(predictions, references).reduce(0) { $0 + $1 * $1 }
        return (sum / Double(predictions.count)).squareRoot()
    }
}
