extension TaskDefinition {
    /// LaMP-3: how many stars of five a user gives in a review.
    static let productRating = TaskDefinition(
        name: "product_rating", lampID: "LaMP_3", kind: .ordinal(labels: ["1", "2", "3", "4", "5"]),
        metrics: [MeanAbsoluteError.self, RootMeanSquaredError.self],
        history: HistoryForm(
            prompt: """
                ### User Instruction:
                What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 \
                without further explanation.
                Review: {text} Score:
                """,
            answer: " {score}"),
        retrieval: Retrieval(
            document: "Review: {text} Score: {score}\n",
            query: """
                What is the score of the following review on a scale of 1 to 5? review: {text}
                """,
            isDefault: true),
        query: QueryForm(
            prompt: """
                ### User Instruction:
                What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, or 5 \
                without further explanation.
                Review: {} Score:
                """,
            parts: [.after("without further explanation. review: ")]))
}
