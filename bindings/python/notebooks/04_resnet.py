# Residual networks: shortcuts, gradients through 56 layers, ablation of blocks, zero-initialised branches, width, stochastic depth.
# %% [labels]
# en = lt
# layer by depth = sluoksnis pagal gylį
# gradient norm over weight norm = gradiento ir svorių normų santykis
# residual = liekamasis
# plain = paprastas
# residual, no BatchNorm = liekamasis, be BatchNorm
# plain, no BatchNorm = paprastas, be BatchNorm
# plain, no BatchNorm, small weights = paprastas, be BatchNorm, maži svoriai
# first over last: = pirmas su paskutiniu:
# training step = mokymo žingsnis
# loss = nuostolis
# 56 layers, residual = 56 sluoksniai, liekamasis
# 56 layers, residual, branches begin as 0 = 56 sluoksniai, liekamasis, šakos pradeda nuo 0
# 56 layers, plain = 56 sluoksniai, paprastas
# 20 layers, plain = 20 sluoksnių, paprastas
# blocks of zero-initialised branches change their input by = nuliais pradėtų šakų blokai savo įvestį pakeičia
# , the others by = , o kiti –
# block taken away = išimtas blokas
# accuracy = tikslumas
# epoch = epocha
# points lost = prarasta procentinių punktų
# trained as usual = mokyta įprastai
# with stochastic depth = su atsitiktiniu gyliu
# blocks taken away = išimta blokų
# all shortcuts taken away = išimtos visos apylankos
# deep and narrow = gilus ir siauras
# shallow and wide = seklus ir platus
# M multiply-adds, = mln. daugybos ir sudėties veiksmų,
# parameters, = parametrų,
# ms for a batch = ms paketui
# Fashion-MNIST where it is found, else handwritten digits (see sasuka.samples), every second pixel: [count, 1, 14, 14]. = Fashion-MNIST, jei yra, kitaip ranka rašyti skaitmenys (žr. sasuka.samples), kas antras taškas: [kiekis, 1, 14, 14].
# Two convolutions and a shortcut: the input itself, or where the shape changes a projection by a 1 x 1 convolution. = Dvi sąsūkos ir apylanka: pati įvestis arba, kur keičiasi forma, projekcija 1 x 1 sąsūka.
# Three stages of `blocks` blocks; the last block is dropped with probability `drop`, the others in proportion. = Trys pakopos po `blocks` blokų; paskutinis blokas išmetamas su tikimybe `drop`, kiti – proporcingai.
# For each 3 x 3 convolution, from the input on: norm of the gradient over norm of the weights. = Kiekvienos 3 x 3 sąsūkos, pradedant nuo įvesties, gradiento ir svorių normų santykis.
# In float64: the squares of vanished gradients are below what float32 holds. = Float64 tipu: išnykusių gradientų kvadratai mažesni, nei telpa į float32.
# Layers as small as these are not worth dividing between threads. = Tokių mažų sluoksnių gijoms dalyti neverta.
# PyTorch's own: a sixth of He's variance = kaip PyTorch: šeštadalis He dispersijos
# %% [markdown] en
# # Residual networks
#
# By 2015 it was clear that depth helps, and that it stops helping: a plain network of 56 layers had a *higher training loss* than one of
# 20. That is not overfitting — the deeper one could copy the shallower one and let 36 layers do nothing — it is optimisation that fails.
#
# He, Zhang, Ren and Sun let each block learn only what it *adds* to its input:
#
# $$y = x + F(x), \qquad \frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\left(I + \frac{\partial F}{\partial x}\right).$$
#
# To do nothing is now easy ($F = 0$), and the gradient has a way back on which nothing is multiplied to it. We measure both claims.
# %% [markdown] lt
# # Liekamieji tinklai
#
# 2015 m. buvo aišku, kad gylis padeda ir kad nustoja padėti: paprasto 56 sluoksnių tinklo *mokymo nuostolis buvo didesnis* nei 20
# sluoksnių. Tai ne persimokymas – gilesnis galėtų nukopijuoti seklesnį, o 36 sluoksniai nieko nedaryti, – tai nepavykstantis
# optimizavimas.
#
# He, Zhang, Ren ir Sun leido kiekvienam blokui mokytis tik to, ką jis prie savo įvesties *prideda*:
#
# $$y = x + F(x), \qquad \frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\left(I + \frac{\partial F}{\partial x}\right).$$
#
# Nieko nedaryti dabar lengva ($F = 0$), o gradientas turi kelią atgal, kuriame jis iš nieko nedauginamas. Išmatuokime abu teiginius.
# %%
import time

import matplotlib.pyplot as plt
import numpy as np

import sasuka
from sasuka import nn, plots, samples

plots.set_language("en")

# Fashion-MNIST where it is found, else handwritten digits (see sasuka.samples), every second pixel: [count, 1, 14, 14].
MEAN, DEVIATION = 0.286, 0.353
# Layers as small as these are not worth dividing between threads.
THREADS = 1


def small(dataset):
    return (dataset.pictures[:, :, ::2, ::2] / np.float32(255) - np.float32(MEAN)) / np.float32(DEVIATION), dataset.targets()


training = small(samples.pictures(count=1000))
validation = small(samples.pictures(train=False, count=600))


def block(channels_in, channels, stride=1, drop=0.0):
    """Two convolutions and a shortcut: the input itself, or where the shape changes a projection by a 1 x 1 convolution."""
    projection = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
    branch = {
        "conv1": nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(channels),
        "relu": nn.ReLU(),
        "conv2": nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        "bn2": nn.BatchNorm2d(channels),
    }
    if drop > 0:
        branch["drop"] = nn.StochasticDepth(drop)
    changes = stride != 1 or channels_in != channels
    return nn.Residual(branch, shortcut=projection if changes else None, activation=nn.ReLU())


def resnet(blocks=3, width=8, drop=0.0, seed=0):
    """Three stages of `blocks` blocks; the last block is dropped with probability `drop`, the others in proportion."""
    parts = {"conv1": nn.Conv2d(1, width, 3, padding=1, bias=False), "bn1": nn.BatchNorm2d(width), "relu": nn.ReLU()}
    before = width
    for stage in range(3):
        channels, inside = width * 2**stage, []
        for number in range(blocks):
            share = (stage * blocks + number + 1) / (3 * blocks)
            inside.append(block(before, channels, 2 if stage > 0 and number == 0 else 1, drop * share))
            before = channels
        parts[f"layer{stage + 1}"] = nn.Sequential(*inside)
    return nn.Sequential({**parts, "pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(before, 10)}).model(
        (1, 14, 14), seed=seed, threads=THREADS
    )


plots.network(resnet(blocks=1), depth=3);
# %% [markdown] en
# A residual network with one block in each stage; `body` is the branch $F$. `layer1.0` has an **identity shortcut**: an arrow past the branch. `layer2.0` and
# `layer3.0` halve the map and double the channels; there the sum would not fit, and a **projection** by a $1 \times 1$ convolution of stride 2
# stands in the shortcut.
#
# ## Gradients through 56 layers
#
# The library has the network of 56 layers of the paper. `ablate("", "shortcut")` takes its shortcuts away and leaves the same weights:
# the plain network. BatchNorm can be passed over likewise. For each convolution we look at the norm of its gradient in proportion to that of
# its weights — how much a step of learning rate 1 would change it.
# %% [markdown] lt
# Liekamasis tinklas, kurio kiekviena pakopa turi po vieną bloką; `body` yra šaka $F$. Bloko `layer1.0` apylanka (angl. *shortcut*) yra **tapatybė**: rodyklė pro šaką. Blokai
# `layer2.0` ir `layer3.0` žemėlapį sumažina perpus ir padvigubina kanalus; suma ten netiktų, todėl apylankoje stovi **projekcija** –
# $1 \times 1$ sąsūka, kurios žingsnis 2.
#
# ## Gradientai per 56 sluoksnius
#
# Biblioteka turi straipsnyje aprašytą 56 sluoksnių tinklą. `ablate("", "shortcut")` išima jo apylankas ir palieka tuos pačius
# svorius: gauname paprastą tinklą. Taip pat galima apeiti BatchNorm. Žiūrėsime į kiekvienos sąsūkos gradiento ir svorių normų santykį:
# kiek ją pakeistų mokymosi greičio 1 žingsnis.
# %%
def relative_gradients(model, count=32):
    """For each 3 x 3 convolution, from the input on: norm of the gradient over norm of the weights."""
    weights = model.state_dict()
    with sasuka.Trainer(model, threads=THREADS) as trainer:
        trainer.zero_gradients()
        trainer.forward_backward(training[0][:count], training[1][:count])
        found = trainer.gradients()
        # In float64: the squares of vanished gradients are below what float32 holds.
        return [
            np.linalg.norm(found[name].astype(float)) / np.linalg.norm(weights[name])
            for name in found
            if weights[name].ndim == 4 and weights[name].shape[2] == 3
        ]


def without_norm(model):
    return model.ablate([layer.name for layer in model.layers() if layer.kind == "batch_norm"])


deep = sasuka.create_model("cifar_resnet56", in_channels=1)
plain = deep.ablate("", "shortcut")
small_weights = without_norm(plain)
for name, shape, _ in small_weights.parameters():
    if len(shape) == 4:
        small_weights.initialize(name, "kaiming_uniform", 3**-0.5)  # PyTorch's own: a sixth of He's variance
cases = {
    "residual": deep,
    "plain": plain,
    "residual, no BatchNorm": without_norm(deep),
    "plain, no BatchNorm": without_norm(plain),
    "plain, no BatchNorm, small weights": small_weights,
}
figure, ax = plt.subplots(figsize=(10, 4.4), layout="constrained")
for title, model in cases.items():
    ratios = relative_gradients(model)
    ax.semilogy(np.arange(1, len(ratios) + 1), np.maximum(ratios, 1e-40), label=title)
    print(f"{title:36} first over last: {ratios[0] / max(ratios[-1], 1e-40):.1e}")
ax.set_xlabel("layer by depth")
ax.set_ylabel("gradient norm over weight norm")
ax.legend(frameon=False)
ax.grid(alpha=0.3);
# %% [markdown] en
# Each curve is read from the right, the way the gradient goes.
#
# - With small weights, as were common before 2015, the plain network's gradients have **vanished**: they are some twenty orders of
#   magnitude below the others, *in every layer*. The signal fades on its way to the output, the gradient on its way back, and a weight's
#   gradient is the product of both.
# - He's initialisation keeps both level in the plain network, without any normalisation. (It was made for that.)
# - Shortcuts without normalisation let the signal grow from block to block, and the gradients with it.
# - BatchNorm keeps the signal level, but in the plain network the gradient now **explodes** towards the input, ten thousandfold over 56
#   layers (Yang et al., 2019).
# - Shortcuts *and* BatchNorm bring it down to a factor of some hundred, spread over the whole depth.
#
# Does it matter for learning? The networks of 56 layers, and a plain one of 20, for some dozens of steps. In the fourth network the
# scale $\gamma$ of the last BatchNorm in each branch begins at 0, so that $F = 0$: each block begins as the identity and the deep
# network as a shallow one (Goyal et al., 2017).
# %% [markdown] lt
# Kreives skaitykime iš dešinės, nes taip eina gradientas.
#
# - Kai svoriai maži, kaip įprasta iki 2015 m., paprasto tinklo gradientai **išnykę**: jie maždaug dvidešimčia eilių mažesni už kitus,
#   ir *kiekviename sluoksnyje*. Signalas gęsta eidamas link išvesties, gradientas – grįždamas, o svorio gradientas yra abiejų sandauga.
# - He pradinės reikšmės paprastame tinkle abu išlaiko pastovius be jokio normavimo. (Tam jos ir sugalvotos.)
# - Apylankos be normavimo leidžia signalui augti nuo bloko iki bloko, o su juo auga ir gradientai.
# - BatchNorm signalą išlaiko, bet paprastame tinkle link įvesties gradientas dabar **sprogsta** – per 56 sluoksnius dešimtis tūkstančių
#   kartų (Yang ir kt., 2019).
# - Apylankos *ir* BatchNorm tą skirtumą sumažina iki kelių šimtų kartų, pasiskirsčiusių per visą gylį.
#
# Ar tai svarbu mokantis? 56 sluoksnių tinklai ir paprastas 20 sluoksnių tinklas per keliasdešimt žingsnių. Ketvirtajame tinkle
# kiekvienos šakos paskutinio BatchNorm mastelis $\gamma$ pradžioje yra 0, tad $F = 0$: kiekvienas blokas prasideda kaip tapatybė, o
# gilus tinklas – kaip seklus (Goyal ir kt., 2017).
# %%
def first_losses(model, steps=45, batch=24):
    with sasuka.Trainer(model, "sgd", lr=0.05, momentum=0.9, threads=THREADS) as trainer:
        parts = [np.arange(step * batch, (step + 1) * batch) % len(training[0]) for step in range(steps)]
        return np.array([trainer.step(training[0][part], training[1][part]) for part in parts])


from_nothing = sasuka.create_model("cifar_resnet56", in_channels=1)
from_nothing.initialize("*.bn2.weight", "constant", 0)
curves = {
    "56 layers, residual, branches begin as 0": first_losses(from_nothing),
    "56 layers, residual": first_losses(deep),
    "56 layers, plain": first_losses(plain),
    "20 layers, plain": first_losses(sasuka.create_model("cifar_resnet20", in_channels=1).ablate("", "shortcut")),
}
figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for title, losses in curves.items():
    ax.plot(np.convolve(losses, np.ones(8) / 8, mode="valid"), label=title)
ax.axhline(np.log(10), color="grey", linestyle=":")
ax.set_ylim(0, 4)
ax.set_xlabel("training step")
ax.set_ylabel("loss")
ax.legend(frameon=False);
# %% [markdown] en
# The dotted line is the loss of guessing, $\ln 10$. The plain network of 56 layers hardly learns, though one of 20 does: the very
# degradation that the paper began with. The residual one has a rough start, for 27 random branches have been added up and the rate is high for
# that; its loss then falls steeply (let it run for longer). Where the branches begin as nothing, the deep network learns at once.
#
# torchvision calls this `zero_init_residual`. A block then hands its input on unchanged:
# %% [markdown] lt
# Taškinė linija yra spėliojimo nuostolis $\ln 10$. Paprastas 56 sluoksnių tinklas beveik nesimoko, nors 20 sluoksnių mokosi: tai ta pati
# degradacija, nuo kurios prasideda straipsnis. Liekamojo pradžia sunki, nes sudėtos 27 atsitiktinės šakos ir mokymosi greitis joms per
# didelis; paskui jo nuostolis staigiai krinta (leiskite mokytis ilgiau). Kur šakos pradeda nuo nieko, gilus tinklas mokosi iškart.
#
# torchvision tai vadina `zero_init_residual`. Toks blokas savo įvestį perduoda nepakeistą:
# %%
picture = np.random.default_rng(0).standard_normal((1, 3, 64, 64), dtype=np.float32)
changes = []
for zero in (True, False):
    model = sasuka.create_model("resnet18", num_classes=10, zero_init_residual=zero)
    maps = model.extract_features(picture, ["layer1.0", "layer1.1"])
    changes.append(np.abs(maps["layer1.1"] - maps["layer1.0"]).max())
print(f"blocks of zero-initialised branches change their input by {changes[0]:.2f}, the others by {changes[1]:.2f}")
assert changes[0] == 0 < changes[1]
# %% [markdown] en
# ## What is each block good for?
#
# A residual network is a sum over paths: with $n$ blocks there are $2^n$ ways through it, most of them short (Veit, Wilber and Belongie,
# 2016). So it should bear the loss of a block — which to a plain network is fatal. We train one, take away one block after the other and
# measure what is left. No retraining.
#
# A second network is trained with **stochastic depth** (Huang et al., 2016): in each step each picture skips some blocks at random, the later
# ones more often. It is used to losses.
# %% [markdown] lt
# ## Kam reikalingas kiekvienas blokas?
#
# Liekamasis tinklas yra kelių suma: kai blokų $n$, per jį veda $2^n$ kelių, ir dauguma jų trumpi (Veit, Wilber ir Belongie, 2016). Todėl
# bloko praradimą jis turėtų pakelti, nors paprastam tinklui tai pražūtis. Išmokykime tokį tinklą, po vieną išiminėkime blokus ir
# matuokime, kas lieka. Iš naujo nemokome.
#
# Antrasis tinklas mokomas su **atsitiktiniu gyliu** (angl. *stochastic depth*; Huang ir kt., 2016): kiekviename žingsnyje kiekvienas
# vaizdas atsitiktinai apeina kai kuriuos blokus, vėlesnius dažniau. Prie praradimų jis pripratęs.
# %%
def trained(model, epochs=6, lr=0.02):
    learner = sasuka.Learner(model, training, valid=validation, batch_size=50, threads=THREADS, progress=False)
    learner.fit_one_cycle(epochs, lr)
    return model


def accuracy(model):
    return float((model(validation[0]).argmax(axis=1) == validation[1]).mean())


networks = {"trained as usual": trained(resnet()), "with stochastic depth": trained(resnet(drop=0.5))}
blocks = [f"layer{stage}.{number}" for stage in (1, 2, 3) for number in range(3)]
order = np.random.default_rng(1).permutation([name for name in blocks if not name.endswith(".0")])

figure, axes = plt.subplots(1, 2, figsize=(13, 3.8), layout="constrained")
for number, (title, model) in enumerate(networks.items()):
    whole = accuracy(model)
    lost = [100 * (whole - accuracy(model.ablate(name))) for name in blocks]
    axes[0].bar(np.arange(9) + 0.4 * number - 0.2, lost, 0.4, label=title)
    left = [whole] + [accuracy(model.ablate(list(order[:count]))) for count in range(1, 7)]
    axes[1].plot(left, "o-", label=title)
    axes[1].plot([6.9 + 0.2 * number], [accuracy(model.ablate("", "shortcut"))], "x", color=f"C{number}", markersize=9)
axes[0].set_xticks(np.arange(9), blocks, rotation=45, ha="right", rotation_mode="anchor")
axes[0].set_xlabel("block taken away")
axes[0].set_ylabel("points lost")
axes[0].legend(frameon=False)
axes[1].set_xticks(range(7))
axes[1].text(7, 0.02, "all shortcuts taken away", ha="right")
axes[1].set_xlabel("blocks taken away")
axes[1].set_ylabel("accuracy")
axes[1].set_ylim(0, 1);
# %% [markdown] en
# Look at the left picture first. In the usual network the blocks at the beginning of a stage (`layer1.0` follows the first convolution;
# `layer2.0` and `layer3.0` keep only their projection) are missed most; of the others some hardly count, and others are worth ten
# points and more. On the right several identity blocks are taken away one after the other: the usual network loses about ten points
# with each, the one trained with stochastic depth next to nothing. It begins some points lower, for it learns more slowly and had only
# a few epochs. And the crosses: without its shortcuts each network guesses. The shortcuts are the network, the branches are corrections
# to it.
#
# ## Wide instead of deep
#
# If the blocks are corrections, need there be many? Zagoruyko and Komodakis (2016) made residual networks shallower and wider. The two below
# have as many parameters and cost as many multiply-adds.
# %% [markdown] lt
# Pirmiausia pažvelkite į kairįjį brėžinį. Įprastai mokytame tinkle labiausiai pasigendama pakopos pradžios blokų (`layer1.0` eina po
# pirmosios sąsūkos; iš `layer2.0` ir `layer3.0` lieka tik projekcija); iš kitų vieni beveik nieko nereiškia, o kiti verti dešimties ir
# daugiau procentinių punktų. Dešinėje vienas po kito išimami keli blokai, kurių apylanka – tapatybė: įprastai mokytas tinklas su kiekvienu
# praranda maždaug dešimt punktų, o mokytas su atsitiktiniu gyliu – beveik nieko. Pradžioje jo tikslumas keliais punktais mažesnis, nes jis
# mokosi lėčiau, o epochų buvo nedaug. O kryžiukai rodo: be apylankų abu tinklai tik spėlioja. Tinklas yra apylankos, o šakos – jų pataisos.
#
# ## Platus vietoj gilaus
#
# Jei blokai yra pataisos, ar jų reikia daug? Zagoruyko ir Komodakis (2016) liekamuosius tinklus padarė seklesnius ir platesnius. Du žemiau
# pateikti tinklai turi apylygiai parametrų ir reikalauja tiek pat daugybos bei sudėties veiksmų.
# %%
shapes = {"deep and narrow": (5, 8), "shallow and wide": (1, 20)}
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for title, (count, width) in shapes.items():
    model = resnet(count, width)
    learner = sasuka.Learner(model, training, valid=validation, batch_size=50, threads=THREADS, progress=False)
    learner.fit_one_cycle(4, 0.02)
    layers = model.layers()
    session, batch = model.session((50, 1, 14, 14), threads=THREADS), validation[0][:50]
    times = []
    for _ in range(20):
        begun = time.thread_time()
        session(batch)
        times.append(time.thread_time() - begun)
    parameters, work = sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers)
    print(f"{title:18} {parameters:,} parameters, {work / 1e6:.1f} M multiply-adds, {min(times) * 1e3:.1f} ms for a batch")
    ax.plot(np.arange(1, 5), learner.history.column("valid_accuracy"), "o-", label=f"{title} {accuracy(model):.3f}")
ax.set_xticks(range(1, 5))
ax.set_xlabel("epoch")
ax.set_ylabel("accuracy")
ax.legend(frameon=False);
# %% [markdown] en
# The wide network is ahead after as many epochs, and a batch takes it about as long as the deep one. Its work lies in fewer and larger
# layers, which suits processors that do many things at once: Zagoruyko and Komodakis report that on a graphics processor their wide
# network of 40 layers trained eight times as fast as a thin one of 1001 that was as accurate. Depth was the way to the shortcut; with the
# shortcut at hand, width is often the better bargain. torchvision's `wide_resnet50_2` is such a network.
#
# ## What to take along
#
# - Plain depth fails for lack of optimisation, not of capacity.
# - A shortcut gives signal and gradient a way on which nothing is multiplied; BatchNorm keeps what is added up in bounds.
# - Identity shortcuts cost nothing; projections stand only where the shape changes.
# - A trained residual network survives the loss of a block; one trained with stochastic depth survives many.
#
# ## Questions and exercises
#
# 1. Why does `sasuka.create_model("resnet50")` have blocks of $1 \times 1$, $3 \times 3$, $1 \times 1$? Compare its parameters and
#    multiply-adds with those of `resnet34`.
# 2. Put the ReLU and BatchNorm before each convolution ("pre-activation", He et al., 2016): what is on the shortcut now?
# 3. Take `drop` = 0.2 and 0.8: how do accuracy and robustness trade?
# 4. Multiply all branches by $1/\sqrt{27}$ instead of starting them at 0 (scale `bn2.weight`). Does the network of 56 layers learn as well?
# 5. `sasuka.plots.gradient_norms(trainer)` draws gradients by layer. Follow them over the first 20 steps: do they even out?
# %% [markdown] lt
# Po tiek pat epochų platus tinklas pirmauja, o paketas jam trunka maždaug tiek pat, kiek giliajam. Jo darbas sutelktas į mažiau, bet didesnių
# sluoksnių, o tai tinka procesoriams, vienu metu atliekantiems daug veiksmų: Zagoruyko ir Komodakis rašo, kad grafikos procesoriuje jų
# platus 40 sluoksnių tinklas mokėsi aštuonis kartus greičiau už tokio pat tikslumo siaurą 1001 sluoksnio tinklą. Gylis atvedė prie
# apylankų, bet turint apylankas dažnai labiau apsimoka plotis. Toks tinklas yra torchvision `wide_resnet50_2`.
#
# ## Ką įsiminti
#
# - Paprastas gilus tinklas nepavyksta dėl optimizavimo, ne dėl talpos stokos.
# - Apylanka signalui ir gradientui duoda kelią, kuriame nieko nedauginama; BatchNorm neleidžia sumai išaugti.
# - Tapatybės apylanka nekainuoja nieko; projekcijos stovi tik ten, kur keičiasi forma.
# - Išmokytas liekamasis tinklas pakelia bloko praradimą, o mokytas su atsitiktiniu gyliu – daugelio blokų.
#
# ## Klausimai ir užduotys
#
# 1. Kodėl `sasuka.create_model("resnet50")` blokus sudaro $1 \times 1$, $3 \times 3$, $1 \times 1$? Palyginkite jo parametrus ir
#    daugybos ir sudėties veiksmus su `resnet34`.
# 2. ReLU ir BatchNorm padėkite prieš kiekvieną sąsūką (*pre-activation*; He ir kt., 2016): kas dabar yra apylankoje?
# 3. Imkite `drop` = 0,2 ir 0,8: kiek atsparumas kainuoja tikslumo?
# 4. Užuot pradėję šakas nuo 0, padauginkite jas iš $1/\sqrt{27}$ (`bn2.weight`). Ar 56 sluoksnių tinklas mokosi taip pat gerai?
# 5. `sasuka.plots.gradient_norms(trainer)` nubraižo gradientus pagal sluoksnius. Stebėkite juos pirmuosius 20 žingsnių: ar jie susilygina?
