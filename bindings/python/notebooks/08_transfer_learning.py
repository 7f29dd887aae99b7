# Transfer learning: a trained network's features for new classes; freezing, cached features, fine-tuning, Grad-CAM.
# %% [labels]
# en = lt
# the photograph = nuotrauka
# resized and cut = pakeistas dydis ir iškirpta
# red, normalised = raudonas kanalas, normuotas
# mean of each channel: = kiekvieno kanalo vidurkis:
# deviation of each channel: = kiekvieno kanalo standartinis nuokrypis:
# the teacher's classes = mokytojo klasės
# new classes = naujos klasės
# accuracy of the teacher: = mokytojo tikslumas:
# its normalisation = jo normavimas
# none, 0 to 1 = jokio, nuo 0 iki 1
# bytes, 0 to 255 = baitai, nuo 0 iki 255
# features of a trained network = išmokyto tinklo požymiai
# features of an untrained network = nemokyto tinklo požymiai
# head only = tik galva
# fine-tuned = tiksliai suderinta
# from scratch = nuo pradžių
# pictures of each class = vaizdų iš klasės
# accuracy = tikslumas
# seconds of training = mokymo sekundės
# all layers = visi sluoksniai
# frozen = įšaldyta
# cached features = įsiminti požymiai
# changed parameters: = pasikeitę parametrai:
# canvas = drobė
# uint8 pictures of some classes, which are numbered from 0 in the order of `kinds`. = Kai kurių klasių uint8 vaizdai; klasės numeruojamos nuo 0 ta tvarka, kuria surašytos `kinds`.
# As the teacher saw them: its preprocessing, not that of the new pictures. = Kaip juos matė mokytojas: su jo, o ne naujų vaizdų pirminiu apdorojimu.
# Steps of a one-cycle schedule; epoch after epoch, each in a new order. = Vieno ciklo tvarkaraščio žingsniai; epocha po epochos, kiekviena vis kita tvarka.
# `count` pictures of each new class. = Po `count` kiekvienos naujos klasės vaizdų.
# BatchNorm keeps the teacher's statistics = BatchNorm lieka mokytojo statistikos
# A picture of a class that the model names rightly. = Tos klasės vaizdas, kurią modelis įvardija teisingai.
# %% [markdown] en
# # Transfer learning
#
# A network that has seen many pictures knows more than the classes it was taught: its first layers see edges and textures,
# the middle ones parts, and these are good for other classes, too. Whoever has only a few pictures borrows such a network, takes
# off its last layer and puts on a new one (Donahue et al. 2013; Yosinski et al. 2014, *How Transferable Are Features in Deep Neural
# Networks?*). Usually the lender was trained on the 1.2 million pictures of ImageNet for days. Here a small one is trained in
# seconds on six kinds of clothes, so that everything can be seen and repeated. We
#
# 1. look at the preprocessing, which is as much a part of a trained network as its weights,
# 2. train the teacher,
# 3. teach four new classes from 5 and from 20 pictures each, in three ways: only a new head, fine-tuning, from scratch,
# 4. measure what frozen layers and cached features save,
# 5. ask the network with Grad-CAM where it looks.
# %% [markdown] lt
# # Žinių perkėlimas
#
# Daug vaizdų matęs tinklas moka daugiau nei tas klases, kurių jis buvo mokytas: pirmieji jo sluoksniai mato briaunas ir
# tekstūras, viduriniai – dalis, o tai tinka ir kitoms klasėms. Kas turi tik kelis vaizdus, pasiskolina tokį tinklą, nuima
# paskutinį sluoksnį ir uždeda naują (Donahue ir kt. 2013; Yosinski ir kt. 2014, *How Transferable Are Features in Deep Neural
# Networks?*). Tai vadinama žinių perkėlimu arba perkeltiniu mokymu (angl. *transfer learning*). Paprastai skolintojas kelias dienas mokytas su 1,2 milijono
# ImageNet vaizdų. Čia mažą tinklą per kelias sekundes išmokysime šešių rūšių drabužių, kad viską būtų galima pamatyti ir pakartoti. Mes
#
# 1. pažiūrėsime į pirminį vaizdų apdorojimą, kuris yra tokia pat išmokyto tinklo dalis kaip ir svoriai,
# 2. išmokysime mokytoją,
# 3. iš 5 ir iš 20 kiekvienos klasės vaizdų trimis būdais mokysime keturių naujų klasių: tik nauja galva, tikslusis derinimas, nuo pradžių,
# 4. išmatuosime, ką sutaupo įšaldyti sluoksniai ir įsiminti požymiai,
# 5. su Grad-CAM paklausime tinklo, kur jis žiūri.
# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import sasuka
from sasuka import nn, plots, samples

plots.set_language("en")
# %% [markdown] en
# ## The authors' preprocessing
#
# Weights expect pictures just as they were in training: resized and cut so, scaled to 0 to 1, and normalised with *the authors'*
# mean and deviation of each channel,
#
# $$x_c \leftarrow \frac{x_c / 255 - \mu_c}{\sigma_c}.$$
#
# These numbers belong to the lender, not to your own pictures. The library keeps them as data of each architecture:
# %% [markdown] lt
# ## Autorių taikytas pirminis apdorojimas
#
# Svoriai tikisi tokių vaizdų, kokie buvo mokant: taip pat pakeisto dydžio ir iškirptų, pervestų į skalę nuo 0 iki 1 ir
# normuotų *autorių* naudotu kiekvieno kanalo vidurkiu ir standartiniu nuokrypiu,
#
# $$x_c \leftarrow \frac{x_c / 255 - \mu_c}{\sigma_c}.$$
#
# Šie skaičiai priklauso skolintojui, o ne jūsų vaizdams. Biblioteka juos saugo kaip kiekvienos architektūros duomenis:
# %%
for name in ("resnet18", "inception_v3", "efficientnet_b3"):
    print(f"{name:<16} {sasuka.preprocessing(name)}")
photograph = load_sample_image("china.jpg")
steps = sasuka.preprocessing("resnet18")
ready = steps(photograph)
print(ready.shape, ready.dtype)
print("mean of each channel:", ready.mean(axis=(0, 2, 3)).round(2))
print("deviation of each channel:", ready.std(axis=(0, 2, 3)).round(2))
figure, axes = plt.subplots(1, 3, figsize=(12, 3.3), layout="constrained", width_ratios=(1.5, 1, 1.2))
axes[0].imshow(photograph)
mean, deviation = (np.array(values)[:, np.newaxis, np.newaxis] for values in (steps.mean, steps.std))
axes[1].imshow(np.clip(ready[0] * deviation + mean, 0, 1).transpose(1, 2, 0))
drawn = axes[2].imshow(ready[0, 0], cmap="RdBu_r", vmin=-3, vmax=3)
figure.colorbar(drawn, ax=axes[2], shrink=0.8)
for ax, title in zip(axes, ("the photograph", "resized and cut", "red, normalised")):
    ax.set_title(title)
    ax.set_axis_off()
plt.show()
# %% [markdown] en
# ## The teacher
#
# It learns six classes of Fashion-MNIST: T-shirt, pullover, dress, sandal, bag and ankle boot. Four it will never see:
# trousers, coat, shirt and sneaker. It is a small residual network, three blocks, with global average pooling; `flatten`
# is the name of the place before the head, where a picture has become 64 numbers: its *features*.
# %% [markdown] lt
# ## Mokytojas
#
# Jis mokosi šešių Fashion-MNIST klasių: marškinėlių, megztinio, suknelės, basutės, rankinės ir aulinuko. Keturių jis nepamatys:
# kelnių, palto, marškinių ir sportbačio. Tai nedidelis liekamasis tinklas: trys liekamieji blokai ir visuotinis vidurkio sutelkimas; vieta
# prieš galvą vadinasi `flatten`, joje vaizdas jau tapęs 64 skaičiais – *požymiais*.
# %%
KNOWN, NEW = [0, 2, 3, 5, 8, 9], [1, 4, 6, 7]


def residual(channels, filters, stride):
    shortcut = None
    if stride > 1 or channels != filters:
        shortcut = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))
    return nn.Residual(
        nn.Conv2d(channels, filters, 3, stride, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(),
        nn.Conv2d(filters, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters),
        shortcut=shortcut, activation=nn.ReLU(),
    )


def network(classes, seed):
    return nn.Sequential({
        "stem": nn.Sequential(nn.Conv2d(1, 16, 3, 2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        "layer1": residual(16, 16, 1),
        "layer2": residual(16, 32, 2),
        "layer3": residual(32, 64, 1),
        "pool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(64, classes),
    }).model((1, 28, 28), seed=seed, threads=1)


def select(dataset, kinds, count=None):
    """uint8 pictures of some classes, which are numbered from 0 in the order of `kinds`."""
    chosen = np.flatnonzero(np.isin(dataset.targets(), kinds))[:count]
    return dataset.pictures[chosen], np.searchsorted(kinds, dataset.targets()[chosen])


everything, testing = samples.pictures(count=21000, language="en"), samples.pictures(train=False, count=5000, language="en")
names = np.array(everything.classes)
old, old_test = select(everything, KNOWN, 12000), select(testing, KNOWN, 1000)
new, new_test = select(everything, NEW), select(testing, NEW, 1500)
levels = old[0] / 255
preprocessing = sasuka.Preprocessing(
    channels=1, resize_size=0, crop_size=0, mean=(float(levels.mean()),), std=(float(levels.std()),)
)


def prepared(pictures):
    """As the teacher saw them: its preprocessing, not that of the new pictures."""
    return preprocessing(pictures.transpose(0, 2, 3, 1))


def rows(ax, pictures, labels, kinds, title):
    shown = np.concatenate([pictures[np.flatnonzero(labels == label)[:4]] for label in range(len(kinds))])
    titles = [names[kind] if number == 0 else "" for kind in kinds for number in range(4)]
    plots.pictures(shown, ax, titles=titles, columns=8)
    ax.set_title(title, pad=-4)


figure, axes = plt.subplots(2, 1, figsize=(9, 8), layout="constrained", height_ratios=(3, 2))
rows(axes[0], *old, KNOWN, "the teacher's classes")
rows(axes[1], *new, NEW, "new classes")
plt.show()
# %%
teacher = network(len(KNOWN), seed=1)
learner = sasuka.Learner(
    teacher, (prepared(old[0]), old[1]), valid=(prepared(old_test[0]), old_test[1]),
    optimizer="sgd", momentum=0.9, weight_decay=5e-4, batch_size=64, progress=False, threads=1,
)
learner.fit_one_cycle(3, 0.1)


def accuracy(model, pictures, labels):
    return float((model.features(pictures, "fc", 250).argmax(axis=1) == labels).mean())


print("accuracy of the teacher:")
inputs = {
    "its normalisation": prepared(old_test[0]),
    "none, 0 to 1": (old_test[0] / 255).astype(np.float32),
    "bytes, 0 to 255": old_test[0].astype(np.float32),
}
for name, pictures in inputs.items():
    print(f"{name:<26} {accuracy(teacher, pictures, old_test[1]):.3f}")
# %% [markdown] en
# The last two lines are the classic mistake: the same weights, the same pictures, another normalisation, and no error message.
#
# ## What are its features worth for other classes?
#
# Each picture of a *new* class becomes a point in 64 dimensions; the two directions of the largest variance can be drawn. On the
# right the same for a network with random weights: the classes overlap more, for its features are only mixtures of pixels.
# %% [markdown] lt
# Paskutinės dvi eilutės – klasikinė klaida: tie patys svoriai, tie patys vaizdai, kitas normavimas ir jokio klaidos pranešimo.
#
# ## Ko jo požymiai verti kitoms klasėms?
#
# Kiekvienas *naujos* klasės vaizdas tampa tašku 64 matmenų erdvėje; dvi didžiausios dispersijos kryptis galima nubraižyti.
# Dešinėje – tas pats tinklui su atsitiktiniais svoriais: klasės persidengia labiau, nes jo požymiai tėra taškų mišiniai.
# %%
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
test_pictures = prepared(new_test[0])
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
untrained = network(len(KNOWN), seed=1)
for ax, model, title in (
    (axes[0], teacher, "features of a trained network"), (axes[1], untrained, "features of an untrained network")
):
    features = model.features(test_pictures, "flatten")
    centred = features - features.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    for label, (kind, colour) in enumerate(zip(NEW, COLOURS)):
        points = centred[new_test[1] == label] @ directions.T
        ax.scatter(*points.T, s=6, alpha=0.6, color=colour, label=names[kind])
    ax.set_title(title)
    ax.set_xticks([])
    ax.set_yticks([])
axes[0].legend(frameon=False)
plt.show()
# %% [markdown] en
# ## Three ways
#
# - **Head only.** All layers are frozen. Then their results for a picture never change, so `features` computes them *once*, and a
#   `Trainer(from_module="flatten")` trains the head on them.
# - **Fine-tuned.** With the trained head in place, everything is trained, gently: the learning rate of a layer is smaller, the
#   earlier it stands, because what early layers see is of use for everything (Howard and Ruder 2018). With factors $f_l$,
#   $$\theta_l \leftarrow \theta_l - \eta\, f_l\, \nabla_{\theta_l} L, \qquad f = 0.03,\ 0.1,\ 0.3,\ 1 \text{ from the stem to the head.}$$
# - **From scratch.** New weights and twice as many steps, with AdamW at 0.003. To be fair, others were tried for it: AdamW at 0.001 and
#   0.01, momentum at 0.03 and 0.1. Their means lie within 0.02 of each other, 0.76 to 0.78 from 5 pictures of each class and 0.81 to 0.82
#   from 20.
#
# Three seeds decide which pictures are drawn, their order and the new weights.
# %% [markdown] lt
# ## Trys būdai
#
# - **Tik galva.** Visi sluoksniai įšaldyti. Tada jų rezultatai tam pačiam vaizdui niekada nesikeičia, todėl `features` juos
#   suskaičiuoja *vieną kartą*, o `Trainer(from_module="flatten")` su jais moko galvą.
# - **Tikslusis derinimas** (angl. *fine-tuning*). Su jau išmokyta galva mokoma viskas, bet švelniai: kuo ankstesnis sluoksnis, tuo mažesnis jo
#   mokymosi greitis, nes tai, ką mato ankstyvieji sluoksniai, praverčia viskam (Howard ir Ruder 2018). Su daugikliais $f_l$,
#   $$\theta_l \leftarrow \theta_l - \eta\, f_l\, \nabla_{\theta_l} L, \qquad f = 0{,}03;\ 0{,}1;\ 0{,}3;\ 1 \text{ nuo įvesties iki galvos.}$$
# - **Nuo pradžių.** Nauji svoriai ir dvigubai daugiau žingsnių; AdamW, mokymosi greitis 0,003. Kad būtų sąžininga, šiam būdui išbandyta ir
#   kitaip: AdamW su 0,001 ir 0,01, momentas su 0,03 ir 0,1. Vidurkiai skiriasi ne daugiau kaip per 0,02: nuo 0,76 iki 0,78, kai kiekvienos
#   klasės vaizdų 5, ir nuo 0,81 iki 0,82, kai jų 20.
#
# Trys sėklos lemia, kurie vaizdai ištraukiami, jų tvarką ir naujus svorius.
# %%
def fit(trainer, pictures, labels, steps, rate, seed, batch_size=16):
    """Steps of a one-cycle schedule; epoch after epoch, each in a new order."""
    trainer.set_schedule("one_cycle", maximum=rate, total_steps=steps)
    random, waiting = np.random.default_rng(seed), np.empty(0, dtype=np.int64)
    for _ in range(steps):
        while len(waiting) < batch_size:
            waiting = np.concatenate([waiting, random.permutation(len(labels))])
        chosen, waiting = waiting[:batch_size], waiting[batch_size:]
        trainer.step(pictures[chosen], labels[chosen])


def head_only(few, labels, seed):
    model = teacher.replace_head(len(NEW), seed=seed)
    features = model.features(few, "flatten")
    with sasuka.Trainer(model, "sgd", 0.1, momentum=0.9, weight_decay=5e-4, from_module="flatten", threads=1) as trainer:
        fit(trainer, features, labels, 300, 0.1, seed)
    return model


def fine_tuned(few, labels, seed):
    model = head_only(few, labels, seed)
    with sasuka.Trainer(model, "sgd", 0.03, momentum=0.9, weight_decay=5e-4, threads=1) as trainer:
        for pattern, factor in (("*", 0.03), ("layer2.*", 0.1), ("layer3.*", 0.3), ("fc.*", 1.0)):
            trainer.add_group(pattern, lr_factor=factor)
        fit(trainer, few, labels, 100, 0.03, seed)
    return model


def from_scratch(few, labels, seed):
    model = network(len(NEW), seed=10 + seed)
    with sasuka.Trainer(model, "adamw", 3e-3, threads=1) as trainer:
        fit(trainer, few, labels, 200, 3e-3, seed)
    return model


def draw(count, seed):
    """`count` pictures of each new class."""
    random = np.random.default_rng(seed)
    chosen = [random.choice(np.flatnonzero(new[1] == label), count, replace=False) for label in range(len(NEW))]
    return prepared(new[0][np.concatenate(chosen)]), np.repeat(np.arange(len(NEW)), count)


ways = {"head only": head_only, "fine-tuned": fine_tuned, "from scratch": from_scratch}
counts, seeds = (5, 20), (1, 2, 3)
found, times, kept = {}, {}, {}
for name, teach in ways.items():
    for count in counts:
        for seed in seeds:
            few = draw(count, seed)
            start = time.thread_time()
            kept[name] = teach(*few, seed)
            times.setdefault((name, count), []).append(time.thread_time() - start)
            found.setdefault((name, count), []).append(accuracy(kept[name], test_pictures, new_test[1]))
        values = found[name, count]
        print(f"{name:<20} {count:>3}  {np.mean(values):.3f}  {np.round(values, 3)}  {min(times[name, count]):.2f} s")
# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
for place, (name, colour) in enumerate(zip(ways, ("#8C8C8C", "#D55E00", "#0072B2"))):
    where = np.arange(len(counts)) + 0.27 * (place - 1)
    values = np.array([found[name, count] for count in counts])
    axes[0].bar(where, values.mean(axis=1), 0.25, color=colour, label=name)
    axes[0].plot(where[:, np.newaxis].repeat(3, axis=1), values, "o", color="black", markersize=3)
    bars = axes[1].bar(where, [min(times[name, count]) for count in counts], 0.25, color=colour)
    axes[1].bar_label(bars, fmt="%.2f", fontsize=8)
for ax in axes:
    ax.set_xticks(np.arange(len(counts)), [str(count) for count in counts])
    ax.set_xlabel("pictures of each class")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylim(0.5, 0.95)
axes[0].set_ylabel("accuracy")
axes[0].legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
axes[1].set_ylabel("seconds of training")
plt.show()
# %% [markdown] en
# ## What freezing saves
#
# A frozen layer needs no gradient of its weights, and if everything before it is frozen too, no backward pass at all and no
# memory for its activations. `model.freeze().unfreeze("fc.*")` says so for all trainers and learners to come. With cached
# features even the forward pass is gone. One step with 64 pictures:
# %% [markdown] lt
# ## Ką sutaupo įšaldymas
#
# Įšaldytam sluoksniui nereikia svorių gradiento, o jei įšaldyta ir viskas prieš jį, nereikia nei atgalinio sklidimo, nei
# atminties jo aktyvacijoms. Visiems būsimiems `Trainer` ir `Learner` objektams tai pasako `model.freeze().unfreeze("fc.*")`. Su įsimintais požymiais
# nebelieka net tiesioginio sklidimo. Vienas žingsnis su 64 vaizdais:
# %%
few, labels = draw(16, 1)
model = teacher.replace_head(len(NEW), seed=1)


def step_time(trainer, pictures):
    trainer.step(pictures, labels)
    measured = []
    for _ in range(10):
        start = time.thread_time()
        trainer.step(pictures, labels)
        measured.append(1000 * (time.thread_time() - start))
    return min(measured), trainer.memory / 2**20


costs = {}
with sasuka.Trainer(model, "sgd", 1e-3, threads=1) as trainer:
    costs["all layers"] = step_time(trainer, few)
before = model.state_dict()
model.freeze().unfreeze("fc.*")
with sasuka.Trainer(model, "sgd", 1e-3, threads=1) as trainer:
    trainer.set_evaluation("*")  # BatchNorm keeps the teacher's statistics
    costs["frozen"] = step_time(trainer, few)
after = model.state_dict()
print("changed parameters:", [name for name in after if not np.array_equal(before[name], after[name])])
features = model.features(few, "flatten")
with sasuka.Trainer(model, "sgd", 1e-3, from_module="flatten", threads=1) as trainer:
    costs["cached features"] = step_time(trainer, features)
for name, (milliseconds, memory) in costs.items():
    print(f"{name:<20} {milliseconds:8.3f} ms {memory:8.2f} MiB")
# %% [markdown] en
# `Learner.fine_tune` does the whole recipe in one call: first the head alone, then everything at half the rate, below the head a
# tenth of it.
# %% [markdown] lt
# Visą receptą vienu kreipiniu atlieka `Learner.fine_tune`: pirma mokoma tik galva, paskui viskas perpus mažesniu mokymosi greičiu, o
# žemiau galvos – dar dešimt kartų mažesniu.
# %%
model = teacher.replace_head(len(NEW), seed=1)
learner = sasuka.Learner(model, draw(20, 1), valid=(test_pictures, new_test[1]), batch_size=16, progress=False, threads=1)
for logs in learner.fine_tune(8, 1e-2, freeze_epochs=8)[7::8]:
    print(round(logs["valid_accuracy"], 3))
# %% [markdown] en
# ## What the layers see, and where the network looks
#
# Maps of the stem and of the second block for one sneaker, from the teacher, which has never seen one:
# %% [markdown] lt
# ## Ką mato sluoksniai ir kur žiūri tinklas
#
# Pirmojo sluoksnio ir antrojo bloko žemėlapiai vienam sportbačiui. Tai mokytojas, kuris sportbačio nėra matęs:
# %%
sneaker = test_pictures[np.flatnonzero(new_test[1] == 3)[0]]
figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
plots.feature_maps(teacher, sneaker, "stem", axes[0], count=16)
plots.feature_maps(teacher, sneaker, "layer2", axes[1], count=16)
plt.show()
# %% [markdown] en
# Grad-CAM (Selvaraju et al. 2017) weighs each map $A^k$ of the last block by how much the logit $y_c$ of a class grows with it, and
# keeps what is positive:
#
# $$\alpha_k^c = \frac{1}{H W} \sum_{i,j} \frac{\partial y_c}{\partial A^k_{ij}}, \qquad
# \text{heat} = \max\Big(0,\ \sum_k \alpha_k^c A^k\Big).$$
#
# First the fine-tuned network and one picture of each new class.
# %% [markdown] lt
# Grad-CAM (Selvaraju ir kt. 2017) kiekvieną paskutinio bloko žemėlapį $A^k$ pasveria pagal tai, kiek su juo auga klasės logitas $y_c$, ir
# palieka tai, kas teigiama:
#
# $$\alpha_k^c = \frac{1}{H W} \sum_{i,j} \frac{\partial y_c}{\partial A^k_{ij}}, \qquad
# \text{šiluma} = \max\Big(0,\ \sum_k \alpha_k^c A^k\Big).$$
#
# Pirmiausia – tiksliai suderintas tinklas ir po vieną kiekvienos naujos klasės vaizdą.
# %%
def first_right(model, pictures, labels, label):
    """A picture of a class that the model names rightly."""
    chosen = np.flatnonzero(labels == label)[:20]
    return pictures[chosen[model(prepared(pictures[chosen])).argmax(axis=1) == label][0]]


figure, axes = plt.subplots(1, 4, figsize=(13, 2.8), layout="constrained")
for label, (ax, kind) in enumerate(zip(axes, NEW)):
    picture = first_right(kept["fine-tuned"], *new_test, label)
    heat = sasuka.grad_cam(kept["fine-tuned"], prepared(picture[np.newaxis]), label, "layer3")[0]
    plots.grad_cam(picture, heat, ax)
    ax.set_title(names[kind])
plt.show()
# %% [markdown] en
# Global average pooling lets the network take pictures of any size. So we put four things that the teacher knows on one canvas, and ask
# for each class *where* it is. Nobody ever taught the network places, and it has only seen pictures that one thing filled. The numbers are the share
# of the heat that lies within the right quarter; a quarter of it would be there by chance.
# %% [markdown] lt
# Dėl visuotinio vidurkio sutelkimo tinklui tinka bet kokio dydžio vaizdai. Todėl į vieną drobę padedame keturis mokytojui pažįstamus
# daiktus ir apie kiekvieną klasę klausiame, *kur* ji. Vietų tinklo niekas nemokė, o matė jis tik vaizdus, kuriuos užpildo vienas daiktas.
# Skaičiai – šilumos dalis teisingame ketvirtyje; atsitiktinai ten jos būtų ketvirtadalis.
# %%
SIDE = 64
shown = [KNOWN.index(kind) for kind in (0, 5, 8, 9)]
canvas, corners = np.zeros((1, 1, SIDE, SIDE), dtype=np.uint8), [(0, 0), (0, 32), (32, 0), (32, 32)]
for label, (top, left) in zip(shown, corners):
    canvas[0, 0, top + 2 : top + 30, left + 2 : left + 30] = first_right(teacher, *old_test, label)[0]
figure, axes = plt.subplots(1, 5, figsize=(15, 2.8), layout="constrained")
axes[0].imshow(canvas[0, 0], cmap="gray")
axes[0].set_title("canvas")
axes[0].set_axis_off()
for label, (top, left), ax in zip(shown, corners, axes[1:]):
    heat = sasuka.grad_cam(teacher, prepared(canvas), label, "layer3", size=(SIDE, SIDE))[0]
    plots.grad_cam(canvas[0], heat, ax)
    ax.set_title(names[KNOWN[label]])
    print(f"{names[KNOWN[label]]:<12} {heat[top : top + 32, left : left + 32].sum() / heat.sum():.2f}")
plt.show()
# %% [markdown] en
# ## What to see
#
# - The wrong normalisation makes good weights worthless, and nothing warns of it: 95 % of right answers become little more than chance.
# - From few pictures the borrowed features win: with 5 pictures of each class and with 20, fine-tuning is best in the mean over seeds, and
#   training from scratch last, though it had twice as many steps and a choice of optimisers.
# - A head on cached features is nearly as good, and is trained in hundredths of a second: a step costs less than a hundredth of a
#   step of the whole network.
# - From 5 to 20 pictures the lead shrinks only a little (exercise 1 goes further). In the classic experiments it is largest where the new task is like the old one.
# - It must be *like*. A teacher who knows only T-shirts, trousers, pullovers, dresses and coats has never seen a shoe. To tell sandals,
#   shirts, sneakers, bags and boots apart from 5 pictures each, a head on its features is worse than training from scratch (0.67
#   against 0.69 in the mean over the three seeds), and fine-tuning, 0.73, is better with two seeds and worse with one (exercise 2).
# - Grad-CAM points at the right thing on the canvas more often than by chance, but not sharply: the last map has one pixel for 4 × 4
#   of the picture, and edges between things, which no training picture had, draw heat, too.
#
# ## Exercises
#
# 1. Repeat the experiment with 50 and 200 pictures of each class. Where does training from scratch catch up?
# 2. Take `KNOWN = [0, 1, 2, 3, 4]` and `NEW = [5, 6, 7, 8, 9]`. Which of the three ways suffers most?
# 3. Cut earlier: train from `from_module="layer2"` on cached maps, with `layer3` and the head free. Compare accuracy and time of a step.
# 4. Use the mean and deviation of the new pictures in place of the teacher's. How much does it cost?
# 5. Fine-tune with the same rate for all layers, 0.03 and 0.3. What becomes of the teacher's features?
# %% [markdown] lt
# ## Ką pastebėti
#
# - Dėl klaidingo normavimo geri svoriai tampa beverčiai, ir niekas apie tai neįspėja: iš 95 % teisingų atsakymų lieka vos daugiau nei spėjant atsitiktinai.
# - Kai vaizdų mažai, laimi pasiskolinti požymiai: ir su 5, ir su 20 kiekvienos klasės vaizdų tikslusis derinimas pagal sėklų vidurkį
#   geriausias, o mokymas nuo pradžių – paskutinis, nors turėjo dvigubai daugiau žingsnių ir buvo išbandyti keli optimizatoriai.
# - Galva su įsimintais požymiais beveik tokia pat gera, o išmokoma per šimtąsias sekundės dalis: žingsnis kainuoja mažiau nei šimtąją
#   viso tinklo žingsnio dalį.
# - Nuo 5 iki 20 vaizdų pranašumas sumažėja tik truputį (1 užduotis eina toliau). Klasikiniuose bandymuose jis didžiausias ten, kur nauja užduotis panaši į senąją.
# - Panaši ji būti turi. Mokytojas, kuris pažįsta tik marškinėlius, kelnes, megztinius, sukneles ir paltus, bato nėra matęs. Kai iš 5
#   kiekvienos klasės vaizdų reikia išmokti skirti basutes, marškinius, sportbačius, rankines ir aulinukus, galva su jo požymiais yra prastesnė
#   už mokymą nuo pradžių (0,67 ir 0,69, trijų sėklų vidurkiai), o tikslusis derinimas (0,73) geresnis su dviem sėklomis ir prastesnis su
#   viena (2 užduotis).
# - Grad-CAM drobėje į teisingą daiktą parodo dažniau nei atsitiktinai, bet neryškiai: vienas paskutinio žemėlapio taškas tenka 4 × 4
#   vaizdo taškams, o šilumą traukia ir daiktų sandūros, kurių mokymo vaizduose nebuvo.
#
# ## Užduotys
#
# 1. Pakartokite bandymą su 50 ir 200 kiekvienos klasės vaizdų. Kur mokymas nuo pradžių pasiveja?
# 2. Imkite `KNOWN = [0, 1, 2, 3, 4]` ir `NEW = [5, 6, 7, 8, 9]`. Kuris iš trijų būdų nukenčia labiausiai?
# 3. Pjaukite anksčiau: mokykite nuo `from_module="layer2"` su įsimintais žemėlapiais, palikę laisvus `layer3` ir galvą. Palyginkite tikslumą ir žingsnio laiką.
# 4. Vietoj mokytojo vidurkio ir nuokrypio imkite naujų vaizdų. Kiek tai kainuoja?
# 5. Derinkite visus sluoksnius tuo pačiu mokymosi greičiu, 0,03 ir 0,3. Kas nutinka mokytojo požymiams?
