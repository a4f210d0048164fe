"""What each finding means for scores, and what to do about it; by code."""

from __future__ import annotations

Advice = tuple[str, str]  # what it means, what to do

_PARTS = ("train", "val", "test")
_LEAK = "What was trained on, or chosen by, is tested again: the test score is too good."
_SMALL = "A difference between two designs smaller than a few standard errors is chance."

ADVICE: dict[str, Advice] = {
    "edge-range": (
        "An edge leads to a node that is not there.",
        "Compare ids of the edge file with those of the node file: white space, leading zeros, numbers counted from 1.",
    ),
    "edge-attributes": (
        "Operators that read edge attributes would see shifted rows, or spread NaN over the graph.",
        "Fill or remove the values that are missing, one row an edge.",
    ),
    "graph-range": ("It is not known which graph a node belongs to.", "Number graphs from 0 without gaps, and sort nodes by graph."),
    "label-count": ("It is not known which label belongs to which node.", "Give one label a node, empty where there is none."),
    "no-labels": ("There is nothing to learn from.", "Name the right column of labels: label: COLUMN in the task file."),
    "label-range": (
        "A label outside the known classes fits no output of a network.",
        "Number classes from 0 and count them; several labels an item are 0 or 1.",
    ),
    "no-edges": (
        "Nothing is passed along: a network on graphs can do no more than one on rows.",
        "Check that the edge file was read; if there are truly no edges, a model for tables is the better tool.",
    ),
    "duplicate-edges": (
        "An edge that stands twice weighs twice in sums and means.",
        "Remove repeated rows of the edge file; keep how often as a column if it matters.",
    ),
    "self-loops": ("Most operators add their own; these count beside it.", "Remove them unless they mean something."),
    "constant-edge-attributes": (
        "The column tells edges apart in nothing.",
        "Leave it out: ignore: [COLUMN] under edges. Columns that stand for kinds of bonds may stay.",
    ),
    "nearly-undirected": (
        "Where nearly every edge has its opposite, the missing ones are usually lost, not meant; nodes see each other one way only.",
        "Set directed: false in the task file, or add the missing rows.",
    ),
    "edges-listed-once": (
        "If the graph has no direction, messages now run one way only, from low to high numbers.",
        "Set directed: false in the task file unless the direction is meant (as in citations).",
    ),
    "directed": (
        "Messages run along edges as they are given.",
        "Nothing, if the direction means something; else set directed: false in the task file.",
    ),
    "isolated-nodes": (
        "A network on graphs sees no more of them than a table does.",
        "Check that no edges were lost; many isolated nodes make the best of graph networks no better than an MLP.",
    ),
    "features-not-finite": (
        "One NaN spreads to every node it is linked to, and training ends in NaN.",
        "Fill missing values (mean and a column that says so), and look for divisions by zero.",
    ),
    "no-features": ("Only structure can speak.", "Add columns if there are any; else degree or encodings stand for features."),
    "constant-features": (
        "A column that never changes says nothing and costs weights.",
        "Leave it out: ignore: [COLUMN] in the task file. Columns that stand for atoms, degrees or rare categories may stay.",
    ),
    "feature-scales": (
        "Without scaling, the wide column drowns the others and rates of learning suit one of them only.",
        "Standardise columns, or take logarithms of amounts; the search also tries input.scale: standard.",
    ),
    "id-as-feature": (
        "A network can learn nothing from an identifier that holds for other nodes; at worst it learns the order of the file.",
        "Name it as id: COLUMN in the task file, or leave it out with ignore: [COLUMN].",
    ),
    "identity-features": (
        "What is learnt holds for these nodes alone.",
        "Fine for one fixed graph; if new nodes will come, use degrees or encodings instead.",
    ),
    "empty-rows": ("These nodes are known by their neighbours alone.", "Check whether their rows were lost when files were joined."),
    "unlabelled": ("They pass messages and are never scored.", "Nothing, if labels are truly unknown."),
    "empty-class": ("Its output can never be right.", "Remove the class, or check how labels were read."),
    "alike-classes": (
        "One class may have been read as two, and a network is asked to tell them apart.",
        "Write the class one way in the label's column.",
    ),
    "one-class": ("Any model is right by a constant.", "Check the label's column, and how it was read."),
    "many-classes": (
        "With a handful of items a class nothing can be learnt of most of them.",
        "Check the label's column; join rare classes, or set target: value if it is a number.",
    ),
    "imbalance": (
        "A model that always names the frequent class looks good by accuracy.",
        "Set metric: macro_f1, or roc_auc or ap where there are two classes.",
    ),
    "rare-class": (
        "Few examples to learn from, and a score that hangs on few items.",
        "Make sure every part holds enough of it: a stratified split, more validation; for two classes metric: ap looks at the rare one.",
    ),
    "outliers": (
        "A few far values dominate squared errors: RMSE says how well these are met.",
        "Check them for typing errors and units; else predict the logarithm, or set metric: mae.",
    ),
    "values-like-classes": (
        "A network would be asked for numbers between classes.",
        "Set target: classes in the task file if the numbers are names.",
    ),
    "leak": (_LEAK, "Remove the items from one of the two parts; a random split made by AgentNAS has none."),
    "empty-part": ("Without it nothing can be trained, chosen or tested.", "Give every part items: split: in the task file."),
    "split-range": ("The split belongs to other data.", "Make the split again from this data."),
    "unlabelled-in-split": (
        "An item without a label can be neither learnt from nor scored.",
        "Leave unlabelled items out of the split.",
    ),
    "small-folds": (
        "One fold says little; compare designs over all folds, as AgentNAS does.",
        "Nothing, if there is no more data; a gain within the noise is no gain.",
    ),
    "repeated-in-split": ("An item that stands twice counts twice.", "Name every item once."),
    "same-features": (
        "If equal rows are one thing entered twice, the test asks for what was trained on, and the score is too good.",
        "Remove duplicates from the files, or keep equal items in one part: a split column made by groups.",
    ),
    "same-graph": (
        "The test asks for graphs that were seen: memory, not understanding, answers them (Ivanov et al., 2019).",
        "Remove duplicates, or keep equal graphs in one part: a split column made by groups.",
    ),
    "duplicate-rows": ("Things that were entered twice weigh twice.", "Remove true duplicates from the node file."),
    "undecided": (
        "This is the ceiling for what any such network can reach on these items without more features.",
        "Add features or encodings (random walk, Laplacian) that tell them apart, or accept the ceiling.",
    ),
    "label-in-features": (
        "The score says how well a column is copied. In use, where the label is not known, there is no such column.",
        "Leave it out: ignore: [COLUMN] in the task file.",
    ),
    "too-good-feature": (
        "Often a column that was filled in after the label was known; then the score in use will be far lower.",
        "Ask when the column is known. If after the label: ignore: [COLUMN] in the task file.",
    ),
    "empty-graphs": ("A graph without nodes has nothing to be read off.", "Remove it, or check that its nodes were not lost."),
    "crossing-edges": (
        "Messages pass between graphs, so training sees nodes of test graphs.",
        "Remove these edges, or check the column that says which graph a node belongs to.",
    ),
    "graphs-without-edges": ("They are read as bags of nodes.", "Fine for single atoms and the like; else check that edges were not lost."),
    "graph-sizes": (
        "The largest graph sets how much memory a batch takes.",
        "Nothing, if it fits; else set the largest ones aside.",
    ),
    "train-nodes-in-test-graphs": (
        "Testing on nodes whose neighbours were trained on is easier than on whole new graphs.",
        "If new data will be whole graphs, keep every graph in one part: a split column made by graph.",
    ),
    "pair-range": ("A pair names a node that is not there.", "Make the pairs again from this graph."),
    "target-in-messages": (
        "A network looks up what it is asked for: the score is far too good.",
        "Take edges of validation and test out of training, in both directions.",
    ),
    "negative-is-edge": ("A right answer is counted as wrong.", "Draw pairs without an edge again, knowing all edges."),
    "one-sided-pairs": ("Nothing can be compared.", "Give validation and test both edges and pairs without one."),
    "near-complete": (
        "Pairs without an edge are the exception here; a score that treats edges as rare says little.",
        "Keep the strongest edges only (a threshold on their weight), or predict the weight.",
    ),
    "isolated-after-split": (
        "In training nothing is passed to them: only features can answer for their pairs.",
        "Hide fewer edges (val and test under split), or leave out nodes with one edge.",
    ),
    "edges-in-features": (
        "Each node's row lists its neighbours, hidden ones too: the answer is in the question.",
        "Leave these columns out; encodings of the training edges say the same without the hidden ones.",
    ),
    "fingerprint": ("Numbers are not comparable with published ones.", "Download the data again, or give it a name of its own."),
    "class-absent-from-train": (
        "A network is never shown this class and cannot name it.",
        "Use a stratified split (split: {kind: random}), or move items of the class to training.",
    ),
    "class-absent-from-val": ("Nothing is chosen for this class.", "Use a stratified split, or a larger validation part."),
    "class-absent-from-test": ("Nothing is said of this class.", "Use a stratified split, or a larger test part."),
    **{
        f"constant-{part}": ("Nothing can be learnt from, or told apart by, one value.", "Use a random split, or folds.") for part in _PARTS
    },
    **{
        f"small-{part}": (_SMALL, "Enlarge the part (val and test under split); folds test every node or graph once: split: {kind: folds}.")
        for part in _PARTS[1:]
    },
    **{
        f"few-in-{part}": (_SMALL, "A stratified split with a larger part, or folds: split: {kind: folds} in the task file.")
        for part in _PARTS[1:]
    },
}  # fmt: skip
