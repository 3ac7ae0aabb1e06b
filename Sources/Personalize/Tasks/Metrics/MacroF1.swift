/// The mean of the labels' F1 over all labels of the task; a label neither predicted nor asked for has 0.
struct MacroF1: Metric {
    static let name = "f1"
    static let labelNeed = LabelNeed.any
    private let labels: Labels

    init(labels: [String]) { self.labels = Labels(labels) }

    func value(_ predictions: [String], against references: [String]) -> Double {
        var right = [Int](repeating: 0, count: labels.count)
        // Predicted plus asked for: precision and recall share the numerator, so F1 = 2 right / (predicted + asked).
        var named = right
        for (prediction, reference) in zip(predictions, references) {
            let predicted = labels.number(of: prediction)
            let asked = labels.number(of: reference)
            if predicted >= 0 { named[predicted] += 1 }
            if asked >= 0 { named[asked] += 1 }
            if predicted == asked, asked >= 0 { right[asked] += 1 }
        }
        let sum = zip(right, named).reduce(0.0) { $1.1 == 0 ? $0 : $0 + 2 * Double($1.0) / Double($1.1) }
        return sum / Double(labels.count)
    }
}
