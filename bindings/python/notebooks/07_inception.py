# Inception: kernels of several sizes side by side, 1 x 1 bottlenecks, and auxiliary classifiers that help a deep net begin.
# %% [labels]
# en = lt
# direct = tiesiogiai
# bottleneck = su siaurinimu
# million multiply-adds = milijonai daugybos ir sudėties veiksmų
# branches of block 3a = bloko 3a šakos
# auxiliary heads: = pagalbinės galvos:
# main head: = pagrindinė galva:
# everything else: = visa kita:
# largest difference of the logits: = didžiausias logitų skirtumas:
# loss with weight 0: = nuostolis, kai svoris 0:
# loss with weight 0.3: = nuostolis, kai svoris 0,3:
# loss with weight 0.6: = nuostolis, kai svoris 0,6:
# auxiliary loss: = pagalbinis nuostolis:
# loss in evaluation: = nuostolis vertinant:
# with auxiliary head = su pagalbine galva
# without = be jos
# parameters, millions = parametrai, milijonai
# four blocks = keturi blokai
# eight blocks = aštuoni blokai
# norm of the gradient: with the head over without, at the stem: = gradiento normų santykis prie įvesties, su galva ir be jos:
# layer, from the input = sluoksnis nuo įvesties
# norm of the gradient = gradiento norma
# epoch = epocha
# accuracy = tikslumas
# without BatchNorm = be BatchNorm
# with BatchNorm = su BatchNorm
# the picture = vaizdas
# 64 channels out: 16 + 32 + 8 + 8. = Išvestyje 64 kanalai: 16 + 32 + 8 + 8.
# With an auxiliary head half way whose loss counts `weight`, or with None without one. = Su pagalbine galva pusiaukelėje, kurios nuostolio svoris `weight`; jei None – be jos.
# Of the stem's convolution and of those of 3 x 3, from the input to the output. = Pradinės ir 3 x 3 sąsūkų gradientų normos nuo įvesties iki išvesties.
# %% [markdown] en
# # Inception
#
# Which size should a kernel have? Small ones see details, large ones see shapes; a garment has both. Szegedy and colleagues
# answered in 2014 with *all of them*: an Inception block runs convolutions of 1 × 1, 3 × 3 and 5 × 5 and a pooling side by
# side over the same map and joins what they make along the channels. GoogLeNet, built of nine such blocks, won ImageNet that
# year with 7 million parameters, a twentieth of VGG16's.
#
# Two ideas made it possible, and this notebook takes both apart:
#
# 1. **bottlenecks** of 1 × 1 before the expensive kernels: we count what they save,
# 2. **auxiliary classifiers** half way up, whose losses count in training with weight 0.3 (0.4 in Inception v3) and which are thrown
#    away afterwards: we train a small Inception net on pictures of clothes with and without, and look at what they do to the
#    gradients.
# %% [markdown] lt
# # Inception
#
# Kokio dydžio turi būti branduolys? Maži mato smulkmenas, dideli – formas; drabužis turi ir viena, ir kita. Szegedy su
# bendraautoriais 2014 m. atsakė: *visų*. Inception blokas 1 × 1, 3 × 3 ir 5 × 5 sąsūkas bei sutelkimą tam pačiam žemėlapiui
# taiko lygiagrečiai ir rezultatus sujungia kanalų kryptimi. Iš devynių tokių blokų sudarytas GoogLeNet tais metais laimėjo
# ImageNet konkursą turėdamas 7 milijonus parametrų – dvidešimtadalį VGG16 parametrų.
#
# Tai leido dvi mintys, ir šiame sąsiuvinyje panagrinėsime abi:
#
# 1. 1 × 1 **siaurinimas** prieš brangius branduolius (angl. *bottleneck*): suskaičiuosime, kiek jis sutaupo,
# 2. **pagalbiniai klasifikatoriai** pusiaukelėje, kurių nuostoliai mokant įskaitomi su svoriu 0,3 (Inception v3 tinkle – 0,4), o
#    paskui klasifikatoriai išmetami: išmokysime nedidelį Inception tinklą atpažinti drabužius su jais ir be jų ir pažiūrėsime,
#    ką jie daro gradientams.
# %%
import matplotlib.pyplot as plt
import numpy as np

import sasuka
from sasuka import nn, plots, samples

plots.set_language("en")
# %% [markdown] en
# ## What a bottleneck saves
#
# A convolution with a kernel of $k \times k$ from $C$ to $M$ channels on a map of $H \times W$ needs
#
# $$H \cdot W \cdot k^2 \cdot C \cdot M$$
#
# multiply-adds. With $B$ channels of 1 × 1 in between it needs $H \cdot W \cdot (C \cdot B + k^2 \cdot B \cdot M)$. In GoogLeNet's block 3a
# the map is $28 \times 28$ with $C = 192$; the branch of 5 × 5 has $M = 32$ and $B = 16$:
#
# $$28^2 \cdot 25 \cdot 192 \cdot 32 = 120\ \text{million} \qquad\text{against}\qquad 28^2 \,(192 \cdot 16 + 25 \cdot 16 \cdot 32) = 12.4\ \text{million}.$$
#
# The library counts the same from the networks themselves. The fourth branch is a pooling of stride 1, whose 192 channels a
# convolution of 1 × 1 brings down to 32: without it, each block would make the map wider and wider.
# %% [markdown] lt
# ## Ką sutaupo siaurinimas
#
# Sąsūkai su $k \times k$ branduoliu iš $C$ į $M$ kanalų, kai žemėlapis $H \times W$, reikia
#
# $$H \cdot W \cdot k^2 \cdot C \cdot M$$
#
# daugybos ir sudėties veiksmų. Jei tarp jų yra $B$ kanalų 1 × 1 sąsūka, reikia $H \cdot W \cdot (C \cdot B + k^2 \cdot B \cdot M)$.
# GoogLeNet bloke 3a žemėlapis yra $28 \times 28$, $C = 192$; 5 × 5 šakoje $M = 32$ ir $B = 16$:
#
# $$28^2 \cdot 25 \cdot 192 \cdot 32 = 120\ \text{mln.} \qquad\text{ir}\qquad 28^2 \,(192 \cdot 16 + 25 \cdot 16 \cdot 32) = 12{,}4\ \text{mln.}$$
#
# Biblioteka tą patį suskaičiuoja iš pačių tinklų. Ketvirtoji šaka – sutelkimas, kurio žingsnis 1; jo 192 kanalus 1 × 1 sąsūka
# sumažina iki 32: be jos kiekvienas blokas žemėlapį vis platintų.
# %%
def convolution(channels, kernel):
    return [nn.LazyConv2d(channels, kernel, padding=kernel // 2), nn.ReLU()]


branches = {
    "1 x 1": (nn.Sequential(*convolution(64, 1)), nn.Sequential(*convolution(64, 1))),
    "3 x 3": (nn.Sequential(*convolution(128, 3)), nn.Sequential(*convolution(96, 1), *convolution(128, 3))),
    "5 x 5": (nn.Sequential(*convolution(32, 5)), nn.Sequential(*convolution(16, 1), *convolution(32, 5))),
}
counts = np.array([
    [sum(layer.multiply_adds for layer in branch.model((192, 28, 28)).layers()) / 1e6 for branch in pair]
    for pair in branches.values()
])
print(counts.round(1), counts.sum(axis=0).round(1))
ax = plt.subplots(figsize=(7, 2.6), layout="constrained")[1]
for place, (values, colour, name) in enumerate(zip(counts.T, ("#8C8C8C", "#D55E00"), ("direct", "bottleneck"))):
    bars = ax.barh(np.arange(3) + 0.38 * place, values, 0.36, color=colour, label=name)
    ax.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=8)
ax.set_yticks(np.arange(3) + 0.19, list(branches))
ax.invert_yaxis()
ax.set_xlabel("million multiply-adds")
ax.set_title("branches of block 3a")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
# %% [markdown] en
# `nn.Concat` joins branches. This is the whole block, drawn by the library:
# %% [markdown] lt
# Šakas sujungia `nn.Concat`. Štai visas blokas, nubraižytas bibliotekos:
# %%
block_3a = nn.Concat({
    "1x1": branches["1 x 1"][1],
    "3x3": branches["3 x 3"][1],
    "5x5": branches["5 x 5"][1],
    "pool": nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *convolution(32, 1)),
})
plots.network(block_3a.model((192, 28, 28)))
plt.show()
# %% [markdown] en
# ## GoogLeNet
#
# The real network, module by module, without its weights. Half of its parameters are in two auxiliary heads that nobody needs
# after training.
# %% [markdown] lt
# ## GoogLeNet
#
# Tikrasis tinklas, modulis po modulio, be svorių. Pusė jo parametrų yra dviejose pagalbinėse galvose, kurių po mokymo niekam
# nereikia.
# %%
googlenet = sasuka.create_model("googlenet", seed=1)
modules = [(name, module) for name, module in googlenet.named_modules() if name and "." not in name and module.parameters]
ax = plt.subplots(figsize=(10, 3.2), layout="constrained")[1]
names = [name for name, _ in modules]
millions = [module.parameters / 1e6 for _, module in modules]
ax.bar(names, millions, color=["#D55E00" if name.startswith("aux") else "#0072B2" for name in names])
ax.set_ylabel("parameters, millions")
ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
auxiliary = sum(module.parameters for name, module in modules if name.startswith("aux"))
main = dict(modules)["fc"].parameters
total = sum(module.parameters for _, module in modules)
for name, number in (("auxiliary heads:", auxiliary), ("main head:", main), ("everything else:", total - auxiliary - main)):
    print(f"{name:<20} {number:>12,}")
# %% [markdown] en
# A network without these heads, with the same weights, computes the same logits, because evaluation leaves the heads out anyway:
# %% [markdown] lt
# Tinklas be šių galvų, bet su tais pačiais svoriais, skaičiuoja tuos pačius logitus, nes vertinant galvos ir taip praleidžiamos:
# %%
headless = sasuka.create_model("googlenet", aux_logits=False)
headless.load_state_dict({name: value for name, value in googlenet.state_dict().items() if not name.startswith("aux")})
noise = np.random.default_rng(0).standard_normal((1, 3, 224, 224), dtype=np.float32)
print("largest difference of the logits:", np.abs(googlenet(noise) - headless(noise)).max())
# %% [markdown] en
# ## A small Inception net
#
# Ours is for pictures of clothes of 28 × 28 (Fashion-MNIST, Xiao, Rasul and Vollgraf 2017). After a convolution of stride 2 and a
# pooling the map is 7 × 7; then come four Inception blocks, and global average pooling with one linear layer as in
# GoogLeNet. Between the second and the third block stands `nn.Auxiliary`: it passes the map on as it is, and predicts the classes
# from it with a small head of its own. The loss of training is
#
# $$L = L_\text{main} + w \, L_\text{aux}, \qquad w = 0.3,$$
#
# and its gradient for a weight $\theta$ below the head is
#
# $$\frac{\partial L}{\partial \theta} = \frac{\partial L_\text{main}}{\partial \theta} + 0.3\, \frac{\partial L_\text{aux}}{\partial \theta}.$$
#
# The first term has come down through all blocks, the second only through half of them.
# %% [markdown] lt
# ## Mažas Inception tinklas
#
# Mūsiškis skirtas 28 × 28 drabužių vaizdams (Fashion-MNIST; Xiao, Rasul ir Vollgraf 2017). Po sąsūkos, kurios žingsnis 2, ir
# sutelkimo žemėlapis yra 7 × 7; toliau – keturi Inception blokai ir, kaip tinkle GoogLeNet, visuotinis vidurkio sutelkimas su vienu tiesiniu
# sluoksniu. Tarp antrojo ir trečiojo bloko stovi `nn.Auxiliary`: jis perduoda žemėlapį tokį, koks yra, o klases iš jo dar
# spėja savo maža galva. Mokymo nuostolis yra
#
# $$L = L_\text{pagr} + w \, L_\text{pagalb}, \qquad w = 0{,}3,$$
#
# o jo gradientas svoriui $\theta$, esančiam žemiau galvos,
#
# $$\frac{\partial L}{\partial \theta} = \frac{\partial L_\text{pagr}}{\partial \theta} + 0{,}3\, \frac{\partial L_\text{pagalb}}{\partial \theta}.$$
#
# Pirmasis dėmuo atkeliavo per visus blokus, antrasis – tik per pusę jų.
# %%
def layer(channels, kernel, norm, **window):
    parts = [nn.LazyConv2d(channels, kernel, padding=kernel // 2, bias=not norm, **window)]
    return parts + ([nn.LazyBatchNorm2d()] if norm else []) + [nn.ReLU()]


def block(norm):
    """64 channels out: 16 + 32 + 8 + 8."""
    return nn.Concat({
        "1x1": nn.Sequential(*layer(16, 1, norm)),
        "3x3": nn.Sequential(*layer(16, 1, norm), *layer(32, 3, norm)),
        "5x5": nn.Sequential(*layer(4, 1, norm), *layer(8, 5, norm)),
        "pool": nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *layer(8, 1, norm)),
    })


def inception(weight=None, norm=False, seed=1, blocks=4):
    """With an auxiliary head half way whose loss counts `weight`, or with None without one."""
    parts = {"stem": nn.Sequential(*layer(16, 5, norm, stride=2), nn.MaxPool2d(2))}
    for number in range(blocks):
        if number == blocks // 2 and weight is not None:
            head = [*layer(32, 1, norm), nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(10)]
            parts["aux"] = nn.Auxiliary(*head, loss_weight=weight)
        parts["abcdefgh"[number]] = block(norm)
    parts.update(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.LazyLinear(10))
    return nn.Sequential(parts).model((1, 28, 28), seed=seed, threads=1)


def normalised(dataset):
    return ((dataset.pictures / np.float32(255) - 0.286) / 0.353).astype(np.float32), dataset.targets()


training, testing = samples.pictures(count=2000, language="en"), samples.pictures(train=False, count=1000, language="en")
train, test = normalised(training), normalised(testing)
plots.pictures(training.pictures[:16], titles=[training.classes[number] for number in training.targets()[:16]], columns=8)
plt.show()
# %% [markdown] en
# First the arithmetic. Three networks with the same weights, whose auxiliary losses count 0 (there is no head), 0.3 and 0.6:
# the training loss must grow in equal steps, and in evaluation all three must have the same loss.
# %% [markdown] lt
# Pirmiausia aritmetika. Trys tinklai su tais pačiais svoriais, kurių pagalbinis nuostolis įskaitomas su svoriu 0 (galvos nėra), 0,3
# ir 0,6: mokymo nuostolis turi augti vienodais žingsniais, o vertinant visų trijų nuostolis turi būti tas pats.
# %%
networks = [inception(weight) for weight in (None, 0.3, 0.6)]
state = networks[1].state_dict()
networks[0].load_state_dict({name: value for name, value in state.items() if not name.startswith("aux")})
networks[2].load_state_dict(state)
batch = train[0][:256], train[1][:256]
losses, evaluated = [], []
for network in networks:
    with sasuka.Trainer(network) as trainer:
        evaluated.append(trainer.evaluate(*batch).loss)
        losses.append(trainer.forward_backward(*batch))
for name, loss in zip(("loss with weight 0:", "loss with weight 0.3:", "loss with weight 0.6:"), losses):
    print(f"{name:<30} {loss:.5f}")
print("auxiliary loss:", round((losses[1] - losses[0]) / 0.3, 4), round((losses[2] - losses[0]) / 0.6, 4))
print("loss in evaluation:", [round(loss, 5) for loss in evaluated])
assert abs((losses[2] - losses[0]) - 2 * (losses[1] - losses[0])) < 1e-5
# %% [markdown] en
# ## Gradients at the beginning
#
# In 2014 BatchNorm did not exist (Ioffe and Szegedy 2015). Through every layer of a network without it the gradient changes its
# size, and with the usual first weights it shrinks. Here is its norm at the very first step, for three seeds (thin) and on
# average, in our net of four blocks and in one of eight: the auxiliary head brings the lower half a gradient of its own.
# %% [markdown] lt
# ## Gradientai pradžioje
#
# 2014 m. BatchNorm dar nebuvo (Ioffe ir Szegedy 2015). Tinkle be jo gradiento dydis keičiasi kiekviename sluoksnyje, o su
# įprastiniais pradiniais svoriais gradientas mažėja. Štai jo norma pačiame pirmajame žingsnyje su trimis sėklomis (plonos
# kreivės) ir vidutiniškai mūsų keturių blokų tinkle ir aštuonių blokų tinkle: pagalbinė galva apatinei pusei atneša savą gradientą.
# %%
def gradient_norms(network):
    """Of the stem's convolution and of those of 3 x 3, from the input to the output."""
    with sasuka.Trainer(network) as trainer:
        trainer.forward_backward(*batch)
        norms = trainer.gradient_norms("layer")
    return {name: norm for name, norm in norms.items() if name.startswith("stem") or name.endswith("3x3.2")}


figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", sharey=True)
for ax, blocks, title in zip(axes, (4, 8), ("four blocks", "eight blocks")):
    at_stem = []
    for weight, colour, name in ((0.3, "#D55E00", "with auxiliary head"), (None, "#0072B2", "without")):
        found = [gradient_norms(inception(weight, seed=seed, blocks=blocks)) for seed in (1, 2, 3)]
        norms = np.array([list(one.values()) for one in found])
        ax.plot(list(found[0]), norms.T, color=colour, linewidth=0.8, alpha=0.5)
        ax.plot(np.exp(np.log(norms).mean(axis=0)), marker="o", color=colour, linewidth=2, label=name)
        at_stem.append(norms[:, 0])
    print("norm of the gradient: with the head over without, at the stem:", (at_stem[0] / at_stem[1]).round(1))
    ax.set_title(title)
    ax.set_yscale("log")
    ax.set_xlabel("layer, from the input")
    ax.set_xticks(range(len(found[0])), list(found[0]), rotation=45, ha="right", rotation_mode="anchor")
    ax.grid(color="#E5E5E5")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("norm of the gradient")
axes[0].legend(frameon=False)
plt.show()
# %% [markdown] en
# ## Training with and without
#
# 2,000 pictures, gradient descent with momentum as in the paper, and several seeds, because a single run could be luck. The
# training losses cannot be compared: one includes 0.3 of the head's. So we compare the accuracy on 1,000 other pictures, in
# which the head has no part.
#
# The setting is the one of those tried that shows the difference most clearly: four blocks and a highest rate of 0.1, with seeds 1, 2
# and 3. At 0.03 neither network left chance within five epochs, nor did eight blocks at 0.1; at 0.2 one seed of three learns without
# the head, and all three do with it, as here. With Adam at 0.002 both learn, and the means over the seeds are 0.68 with the head and
# 0.67 without (exercise 4).
# %% [markdown] lt
# ## Mokymas su galva ir be jos
#
# 2 000 vaizdų, gradientinis nusileidimas su momentu (angl. *momentum*), kaip straipsnyje, ir kelios sėklos, nes vienas bandymas gali pasisekti
# atsitiktinai. Mokymo nuostolių lyginti negalima: į vieną jų įeina 0,3 galvos nuostolio. Todėl lyginame tikslumą, kurį tinklas
# pasiekia su 1 000 kitų vaizdų; juos spėjant galva nedalyvauja.
#
# Iš išbandytų nuostatų čia palikta ta, kuri skirtumą parodo aiškiausiai: keturi blokai ir didžiausias mokymosi greitis 0,1, sėklos 1, 2 ir 3.
# Kai greitis 0,03, per penkias epochas nė vienas tinklas nepradeda mokytis, kaip ir aštuonių blokų tinklai, kai greitis 0,1; kai greitis 0,2,
# be galvos išmoksta viena sėkla iš trijų, o su galva – visos, kaip ir čia. Su Adam, kai greitis 0,002, mokosi abu tinklai, o tikslumo
# vidurkiai yra 0,68 su galva ir 0,67 be jos (4 užduotis).
# %%
def fit(weight, norm, seed, epochs):
    network = inception(weight, norm, seed)
    learner = sasuka.Learner(
        network, train, valid=test, optimizer="sgd", momentum=0.9, batch_size=32, seed=seed, threads=1, progress=False
    )
    learner.fit_one_cycle(epochs, 0.1)
    return network, learner.history.column("valid_accuracy")


plain = {weight: [fit(weight, False, seed, 5) for seed in (1, 2, 3)] for weight in (None, 0.3)}
normal = {weight: [fit(weight, True, seed, 3) for seed in (1, 2)] for weight in (None, 0.3)}
# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", sharey=True)
for ax, runs, title in zip(axes, (plain, normal), ("without BatchNorm", "with BatchNorm")):
    for weight, colour, name in ((0.3, "#D55E00", "with auxiliary head"), (None, "#0072B2", "without")):
        curves = np.array([accuracies for _, accuracies in runs[weight]])
        epochs = np.arange(1, curves.shape[1] + 1)
        ax.plot(epochs, curves.T, color=colour, linewidth=0.8, alpha=0.5)
        ax.plot(epochs, curves.mean(axis=0), color=colour, linewidth=2.5, marker="o", label=name)
        print(f"{name:<22} {curves[:, -1].round(3)}")
    ax.set_title(title)
    ax.set_xlabel("epoch")
    ax.set_xticks(epochs)
    ax.grid(color="#E5E5E5")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("accuracy")
axes[0].legend(frameon=False)
plt.show()
# %% [markdown] en
# ## What the branches see
#
# The first block of the network with BatchNorm, for one picture: the strongest maps of each branch. A 1 × 1 convolution can only weigh
# the channels of the stem at each place; 3 × 3 and 5 × 5 see ever larger surroundings; the pooling's branch keeps the largest
# values of the neighbourhood. Each map has its own colours, from its least value (dark) to its largest (yellow).
# %% [markdown] lt
# ## Ką mato šakos
#
# Pirmasis tinklo su BatchNorm blokas ir vienas vaizdas: stipriausi kiekvienos šakos žemėlapiai. 1 × 1 sąsūka gali tik pasverti
# pradinio sluoksnio kanalus kiekvienoje vietoje; 3 × 3 ir 5 × 5 mato vis didesnę aplinką; sutelkimo šaka išlaiko didžiausias
# kaimynystės reikšmes. Kiekvieno žemėlapio spalvos savos: nuo mažiausios jo reikšmės (tamsi) iki didžiausios (geltona).
# %%
network = normal[0.3][0][0]
outputs = {"1x1": "a.1x1", "3x3": "a.3x3", "5x5": "a.5x5", "pool": "a.pool"}
chosen = test[0][:1]
maps = network.extract_features(chosen, list(outputs.values()))
figure, axes = plt.subplots(4, 5, figsize=(8, 6.4), layout="constrained")
for row, (name, module) in zip(axes, outputs.items()):
    values = maps[module][0]
    row[0].imshow(chosen[0, 0], cmap="gray")
    for ax, number in zip(row[1:], np.argsort(-values.std(axis=(1, 2)))):
        ax.imshow(values[number], cmap="viridis")
        ax.set_title(f"{name}, {number}", fontsize=9)
axes[0, 0].set_title("the picture", fontsize=9)
for ax in axes.ravel():
    ax.set_axis_off()
plt.show()
# %% [markdown] en
# ## What to see
#
# - The bottleneck makes the 5 × 5 branch ten times cheaper, the 3 × 3 branch 1.7 times; the whole block needs 123 million
#   multiply-adds in place of 304.
# - Auxiliary heads hold half of GoogLeNet's parameters in training and cost nothing in use.
# - Without BatchNorm the gradient shrinks on its way down: more than tenfold through four blocks, a thousandfold and more through
#   eight. The head gives the lower half a second, shorter way: there the stem's gradient is more than ten times larger with it.
# - The network of four blocks begins to learn epochs earlier with the head. Seeds differ a lot (one of the three begins early without
#   it, too), but with each of them the network with the head is ahead.
# - With BatchNorm gradients do not vanish, and the head makes no difference that two seeds could prove. Szegedy and
#   colleagues say the same of Inception v3 (2015): early in training the heads change nothing; they suspect that they regularise.
#
# ## Exercises
#
# 1. Replace the 5 × 5 kernel by two of 3 × 3 one after the other, as Inception v3 does. How many multiply-adds does it save, and what
#    is the receptive field? (`sasuka.receptive_field([(3,), (3,)])`)
# 2. Put the head behind block `a`, then behind block `c`. Which norm of the stem's gradient belongs to which?
# 3. Train with weights 0.1, 0.3, 1 and 3. When does the head begin to harm?
# 4. Use `optimizer="adamw"` with a rate of 0.002: Adam divides each gradient by its usual size. How much of the difference
#    is left?
# 5. Take a branch out of a trained block with `network.ablate("a.5x5", "zero")` and evaluate, for each branch of each block. Which are
#    missed most?
# %% [markdown] lt
# ## Ką pastebėti
#
# - Siaurinimas 5 × 5 šaką atpigina dešimt kartų, 3 × 3 šaką – 1,7 karto; visam blokui vietoj 304 milijonų daugybos ir sudėties
#   veiksmų reikia 123 milijonų.
# - Pagalbinėse galvose mokant yra pusė GoogLeNet parametrų, o naudojant tinklą jos nekainuoja nieko.
# - Be BatchNorm gradientas, keliaudamas žemyn, mažėja: per keturis blokus – daugiau nei dešimt kartų, per aštuonis – tūkstantį ir
#   daugiau. Galva apatinei pusei duoda antrą, trumpesnį kelią: čia su ja gradientas prie įvesties daugiau nei dešimt kartų didesnis.
# - Keturių blokų tinklas su galva pradeda mokytis keliomis epochomis anksčiau. Sėklos labai skiriasi (viena iš trijų anksti pajuda
#   ir be galvos), bet su kiekviena iš jų tinklas su galva pirmauja.
# - Su BatchNorm gradientai nenyksta, ir galva nieko tokio nepakeičia, ką būtų galima įrodyti dviem sėklomis. Tą patį apie Inception
#   v3 sako Szegedy su bendraautoriais (2015): mokymo pradžioje galvos nieko nekeičia; jie spėja, kad galvos reguliarizuoja.
#
# ## Užduotys
#
# 1. 5 × 5 branduolį pakeiskite dviem 3 × 3 branduoliais vienas po kito, kaip tinkle Inception v3. Kiek veiksmų tai sutaupo ir koks
#    matymo laukas? (`sasuka.receptive_field([(3,), (3,)])`)
# 2. Padėkite galvą už bloko `a`, paskui už bloko `c`. Kuri pirmojo sluoksnio gradiento norma kuriam atvejui priklauso?
# 3. Mokykite su svoriais 0,1, 0,3, 1 ir 3. Kada galva ima kenkti?
# 4. Naudokite `optimizer="adamw"`, kai mokymosi greitis 0,002: Adam kiekvieną gradientą dalija iš įprasto jo dydžio. Kiek skirtumo
#    lieka?
# 5. Iš išmokyto tinklo bloko išimkite šaką su `network.ablate("a.5x5", "zero")` ir įvertinkite – taip su kiekviena kiekvieno bloko
#    šaka. Kurių trūksta labiausiai?
