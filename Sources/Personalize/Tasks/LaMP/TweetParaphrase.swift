extension TaskDefinition {
    /// LaMP-7: a text said as a user would tweet it.
    static let tweetParaphrase = TaskDefinition(
        name: "tweet_paraphrase", lampID: "LaMP_7", kind: .generation,
        metrics: [Rouge1.self, RougeL.self],
        history: HistoryForm(
            prompt: "Tweet:",
            answer: " {text}"),
        retrieval: Retrieval(
            document: "Tweet: {text}\n",
            query: """
                Paraphrase the following text into tweet without any explanation before or after it: {text}
                """,
            isDefault: false),
        query: QueryForm(
            prompt: """
                ### User Instruction:
                Paraphrase the following text into tweet without any explanation before or after it.
                Text: {} Tweet:
                """,
            parts: [.after("Paraphrase the following tweet without any explanation before or after it: ")]))
}
