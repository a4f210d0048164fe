"""The words of cards: topics and what speaks of them, operators and what papers call them, settings and what people call them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from agentnas.tools.errors import suggest
from agentnas.tools.operators.base import operators

# By topic, what in a text speaks of it: stems, in small letters.
TOPICS = {
    "homophily": r"homophil|assortativ",
    "heterophily": r"heterophil|disassortativ|dissimilar neighbou?r",
    "oversmoothing": r"over-?\s?smooth|indistinguishable (?:node )?representation",
    "depth": r"deep(?:er)? (?:gnn|gcn|graph|stack)|depth|number of layers|very deep",
    "attention": r"attention|attentive",
    "aggregation": r"aggregat|message[- ]passing",
    "propagation": r"propagat|diffusion|rewir|spectral filter|pagerank|polynomial filter",
    "normalization": r"normali[sz]ation|batchnorm|layernorm|pairnorm|graphnorm",
    "regularization": r"regulari[sz]|dropout|overfit|over-fit|weight decay",
    "augmentation": r"augment|dropedge|drop-?edge|drop-?node|mixup|perturb",
    "few-labels": r"few-?shot|semi-supervised|few label|limited label|label scarc|scarce label|self-supervised|pseudo-label",
    "feature-sparsity": r"missing feature|sparse feature|missing attribute|featureless|high-dimensional feature",
    "large-graph": r"large[- ]scale graph|large graph|billion|million nodes|massive graph|web-scale",
    "sampling": r"sampl(?:ing|er)\b|mini-?batch|neighbou?r sampling",
    "graph-level": r"graph classification|graph-level|graph pooling|readout|molecul",
    "link-level": r"link prediction|edge prediction|knowledge graph completion|drug interaction",
    "edge-features": r"edge (?:feature|attribute|state)|edge-feature|edge-aware",
    "positional-encoding": r"positional encod|structural encod|laplacian eigen|random[- ]walk encod",
    "expressivity": r"expressiv|weisfeiler|isomorphi|universal approx|distinguish(?:ing)? (?:non-)?(?:isomorphic )?graphs",
    "hypergraph": r"hypergraph",
    "directed": r"\bdirected graph|digraph|edge direction|directionality",
    "heterogeneous": r"heterogeneous (?:graph|information|network)|meta-?path|relational graph|multi-relational|relation type",
    "temporal": r"temporal|dynamic graph|spatio|time[- ]series|traffic|forecast",
    "robustness": r"robust|adversarial|distribution shift|out-of-distribution|noisy|attack",
    "explainability": r"explain|interpretab",
    "quantization": r"quanti[sz]|low[- ]precision|bit-?width|binari[sz]ed|\bint8\b",
    "pruning": r"prun(?:e|ing)|sparsif|lottery ticket|sparse training|compress",
    "distillation": r"distill?|teacher",
    "hardware-latency": r"latency|hardware|on-device|edge device|energy[- ](?:efficien|consum)|\bfpga\b|\basic\b|inference time|speed-?up",
    "memory": r"memory (?:usage|footprint|consum|requirement|efficien|bottleneck)|memory-efficient|out-of-core|gpu memory",
    "search-space": r"search space",
    "search-strategy": r"architecture search|\bnas\b|evolutionary|bayesian optimi[sz]ation|random search",
    "llm-search": r"large language model|\bllms?\b|gpt-\d",
    "predictor": r"performance (?:predict|estimat)|accuracy predict|neural predictor|surrogate",
    "zero-cost": r"zero-cost|training-free|at initiali[sz]ation|zero-shot proxy|neural tangent",
    "weight-sharing": r"weight-?\s?sharing|supernet|one-shot|hypernetwork|weight inherit|network morphism",
    "evaluation-protocol": r"benchmark|reproducib|fair comparison|evaluation protocol|experimental protocol",
    "transfer": r"transfer(?:able|ability|ring)?\b|pre-?train|meta-learn|fine-?tun",
    "vision": r"\bimages?\b|\bvision\b|visual|video|point cloud|convolutional neural network|object detection",
    "transformer": r"transformer|self-attention",
    "training-recipe": r"optimi[sz]er|learning rate|training strateg|hyper-?parameter|training schedule|early stopping|loss function",
    "ensembles": r"ensembl|mixture[- ]of[- ]experts|mixture of",
    "systems": r"distributed training|multi-gpu|\bgpus?\b|framework for|pipeline parallel|storage|compiler",
    "recommendation": r"recommend|collaborative filtering|user-item",
    "tabular": r"tabular|structured data|relational database|gradient boost",
    "federated": r"federated",
}  # fmt: skip

# What papers call operators of the language. Names that are words of English count only as papers write them.
OPERATORS = {
    "appnp": r"APPNP|PPNP",
    "arma": r"ARMA\b(?= (?:filter|layer|conv))|ARMAConv",
    "cheb": r"ChebNet|ChebConv|Chebyshev (?:graph )?(?:filter|conv|polynomial)",
    "dagnn": r"DAGNN",
    "dirgnn": r"Dir-?GNN",
    "fagcn": r"FAGCN",
    "gat": r"GATs?\b|[Gg]raph [Aa]ttention [Nn]etworks?",
    "gatv2": r"GATv2",
    "gcn": r"GCNs?\b|[Gg]raph [Cc]onvolutional? [Nn]etworks?",
    "gatedgcn": r"(?i:gated-?gcn)|(?i:residual gated graph conv\w*)",
    "gcnii": r"GCNII",
    "gin": r"GINs?\b|[Gg]raph [Ii]somorphism [Nn]etworks?",
    "gine": r"GINE\b",
    "gpr": r"GPR-?GNN|[Gg]enerali[sz]ed PageRank",
    "graphconv": r"GraphConv|k-GNNs?\b",
    "h2gcn": r"H2GCN",
    "hgt": r"HGT\b|[Hh]eterogeneous [Gg]raph [Tt]ransformers?",
    "mixhop": r"MixHop",
    "mlp": r"MLPs?\b|[Mm]ulti-?[Ll]ayer [Pp]erceptrons?",
    "pna": r"PNA\b|[Pp]rincipal [Nn]eighbou?rhood [Aa]ggregation",
    "rgcn": r"R-?GCN\b|[Rr]elational [Gg]raph [Cc]onvolution",
    "sage": r"GraphSAGE|SAGEConv",
    "sgc": r"SGC\b|[Ss]implif(?:ied|ying) [Gg]raph [Cc]onvolution",
    "transformer": r"[Gg]raph [Tt]ransformers?|TransformerConv",
}  # fmt: skip

# What others call operators and settings, and what the language calls them.
FOREIGN = {
    r"(?i:graph-?sage|sageconv)": "sage",
    r"(?i:cheb-?net|chebconv)": "cheb",
    r"(?i:gcn-ii)": "gcnii",
    r"(?i:(?:gcn|gat|gin|gine|rgcn|hgt|dirgnn)conv)": "the same without conv",
    r"(?i:gpr-?gnn)": "gpr",
    r"PPNP|ppnp": "appnp",
    r"(?i:k-gnn)": "graphconv",
    r"MLPs?|mlps|FC|fc": "mlp",
    r"(?i:gated-gcn|residualgatedgraphconv|resgatedgraphconv)": "gatedgcn",
    r"(?i:r-gcn)": "rgcn",
    r"(?i:dir-gnn)": "dirgnn",
    r"(?i:linkx)": "no operator of the language; the nearest is gine, gatv2 or mlp",
    r"(?i:skip-(?:minus|sum|concat)\S*|skip[- ]connections?|skip term)": "residual, or a node identity",
    r"(?i:graph transformers?)": "transformer",
    r"lr": "learning rate",
    r"wd": "weight decay",
    r"hidden (?:size |dim(?:ension)? |width )?(?=\d)": "width",
    r"(?i:drop-edge|dropedge)": "drop_edge",
    r"(?i:drop-node|dropnode)": "drop_node",
    r"(?i:jumping[- ]knowledge)": "jump",
    r"(?i:correct-and-smooth|c&s)": "correct_and_smooth",
    r"(?i:batch-?norm|layer-?norm|pair-?norm|graph-?norm)": "norm batch, layer, pair or graph",
    r"(?i:fan-outs?)": "fanout",
    r"lambda (?=\d)": "theta",
    r"K (?=\d)": "hops",
}


@cache
def _topic_patterns() -> dict[str, re.Pattern[str]]:
    return {topic: re.compile(pattern) for topic, pattern in TOPICS.items()}


def topics_of(title: str, text: str, most: int = 4) -> list[str]:
    """Topics that a text speaks of, most often first; its title counts three times. Empty where none is spoken of."""
    head, body = title.casefold(), text.casefold()
    counts = {topic: 3 * len(p.findall(head)) + len(p.findall(body)) for topic, p in _topic_patterns().items()}
    return [topic for topic in sorted(counts, key=lambda topic: -counts[topic]) if counts[topic]][:most]


def operators_of(text: str) -> list[str]:
    """Operators of the language that a text names, in the order in which it does."""
    known = operators()
    found = {name: re.search(rf"(?<![\w-])(?:{pattern})", text) for name, pattern in OPERATORS.items() if name in known}
    places = {name: match.start() for name, match in found.items() if match}
    return sorted(places, key=lambda name: places[name])


def foreign_words(action: str) -> Iterator[tuple[str, str]]:
    """Words of an action that the language has another name for, each with that name."""
    for pattern, ours in FOREIGN.items():
        if found := re.search(rf"(?<![\w-])(?:{pattern})(?![A-Za-z])", action):
            yield found[0].strip(), ours


# "gat x2" is two layers of an operator, and so nothing else may stand before such a number.
_LAYERS = re.compile(r"(?<![\w-])([a-z]\w*) x\d")


def wrong_names(action: str) -> list[str]:
    """What of an action's words the language does not know or calls otherwise, one line each; empty where all is well."""
    lines = [f"it says {seen!r}, the language says {ours}" for seen, ours in foreign_words(action)]
    unknown = [name for name in dict.fromkeys(_LAYERS.findall(action)) if name not in operators()]
    return lines + [f"{name!r} is no operator of the language; {suggest(name, operators())}" for name in unknown]
