extension TaskDefinition {
    /// LaMP-1: which of two papers a researcher would cite. The history is trained and scored as generation of a citation.
    static let citation = TaskDefinition(
        name: "citation", lampID: "LaMP_1", kind: .classification(labels: ["[1]", "[2]"]),
        metrics: [Rouge1.self, RougeL.self],
        history: HistoryForm(
            prompt: "Paper Title: {title} Reference:",
            answer: " {citation}"),
        retrieval: Retrieval(
            document: "Paper Title: {title}\n",
            query: """
                Identify the most relevant reference for the listed publication by the researcher. Select the \
                reference paper that is most closely related to the researcher's work. Please respond with only the \
                number that corresponds to the reference.
                paper title: {title}
                """,
            isDefault: false),
        query: QueryForm(
            prompt: """
                ### User Instruction:
                Identify the most relevant reference for the listed publication by the researcher. Select the \
                reference paper that is most closely related to the researcher's work. Please respond with only the \
                number that corresponds to the reference.
                Paper Title: {}
                Reference: [1] - {} [2] - {}
                Answer:
                """,
            parts: [
                .between("written the paper with the title \"", "\""),
                .between("[1]: \"", "\""),
                .between("[2]: \"", "\""),
            ]))
}
