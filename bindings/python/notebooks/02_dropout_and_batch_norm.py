# Dropout of single values and of whole feature maps; BatchNorm in training, in evaluation and folded into the convolution.
# %% [labels]
# en = lt
# feature maps = požymių žemėlapiai
# Dropout: single values = Dropout: atskiros reikšmės
# Dropout2d: whole maps = Dropout2d: ištisi žemėlapiai
# a value is dropped: its neighbours and the other maps are left = išmesta reikšmė: lieka kaimynai ir kiti žemėlapiai
# its map is dropped: the other maps are left = išmestas žemėlapis: lieka kiti žemėlapiai
# share of the variance that is predicted = nuspėjama dispersijos dalis
# map = žemėlapis
# of the values were dropped, = reikšmių išmesta,
# of the maps wholly = žemėlapių ištisai
# without dropout = be išmetimo
# trained on = mokymo vaizdai
# never seen = nematyti vaizdai
# accuracy = tikslumas
# before BatchNorm = prieš BatchNorm
# after BatchNorm = po BatchNorm
# value = reikšmė
# density = tankis
# largest difference of means and variances = didžiausias vidurkių ir dispersijų skirtumas
# pictures in the batch = vaizdų pakete
# spread of the batch's mean = paketo vidurkio sklaida
# one over the square root = vienetas, padalytas iš kvadratinės šaknies
# training step = mokymo žingsnis
# epoch = epocha
# loss = nuostolis
# as in training = kaip mokant
# as in evaluation = kaip vertinant
# momentum = momentas
# learning rate = mokymosi greitis
# with BatchNorm = su BatchNorm
# without = be jo
# largest difference of the logits = didžiausias logitų skirtumas
# layers; these are run: = sluoksniai; vykdomi šie:
# Fashion-MNIST where it is found, else handwritten digits: [count, 1, 28, 28] and ten classes. See sasuka.samples. = Fashion-MNIST, jei yra, kitaip ranka rašyti skaitmenys: [kiekis, 1, 28, 28] ir dešimt klasių. Žr. sasuka.samples.
# Two convolutions; `drop` is nn.Dropout, nn.Dropout2d or nothing, behind each pooling. = Dvi sąsūkos; `drop` yra nn.Dropout, nn.Dropout2d arba nieko – po kiekvieno sutelkimo.
# maps: [channels, height, width], as a training step sees them behind a dropout. = maps: [kanalai, aukštis, plotis], kokius juos po išmetimo mato mokymo žingsnis.
# R² of a linear regression; target [n], known [n, variables]. = Tiesinės regresijos R²; target [n], known [n, kintamieji].
# [pictures, channels] = [vaizdai, kanalai]
# %% [markdown] en
# # Spatial dropout and BatchNorm
#
# Two layers behave differently in training and in evaluation: dropout, which throws values away at random, and batch
# normalisation, which gives each channel mean 0 and variance 1. Both were invented for fully connected layers and became
# something else in convolutional networks, for one reason: *neighbouring values of a feature map are alike*.
#
# We first train a small network, so that there are feature maps to look at.
# %% [markdown] lt
# # Erdvinis išmetimas ir BatchNorm
#
# Du sluoksniai mokant ir vertinant elgiasi skirtingai: išmetimas (angl. *dropout*), kuris atsitiktinai pašalina reikšmes,
# ir paketinis normavimas (*BatchNorm*), kuris kiekvienam kanalui suteikia vidurkį 0 ir dispersiją 1. Abu sugalvoti
# visiškai sujungtiems sluoksniams, o sąsūkų tinkluose virto kažkuo kitu, ir priežastis viena: *gretimos požymių žemėlapio
# reikšmės yra panašios*.
#
# Pirmiausia išmokykime nedidelį tinklą, kad turėtume požymių žemėlapių.
# %%
import matplotlib.pyplot as plt
import numpy as np

import sasuka
from sasuka import nn, plots, samples

plots.set_language("en")

# Fashion-MNIST where it is found, else handwritten digits: [count, 1, 28, 28] and ten classes. See sasuka.samples.
training = samples.pictures(count=600)
validation = samples.pictures(train=False, count=1000)


def network(drop=None, p=0.3, norm=True, momentum=0.1):
    """Two convolutions; `drop` is nn.Dropout, nn.Dropout2d or nothing, behind each pooling."""
    layers = {}
    for number, (channels_in, channels_out) in enumerate([(1, 16), (16, 32)], start=1):
        layers[f"conv{number}"] = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=not norm)
        if norm:
            layers[f"bn{number}"] = nn.BatchNorm2d(channels_out, momentum=momentum)
        layers[f"relu{number}"] = nn.ReLU()
        layers[f"pool{number}"] = nn.MaxPool2d(2)
        if drop is not None:
            layers[f"drop{number}"] = drop(p)
    return nn.Sequential({**layers, "flatten": nn.Flatten(), "fc": nn.Linear(32 * 7 * 7, 10)}).model((1, 28, 28))


def trained(model, epochs=12, lr=0.01):
    learner = sasuka.Learner(model, training, valid=validation, batch_size=50, progress=False)
    learner.fit_one_cycle(epochs, lr)
    return learner


learners = {"without dropout": trained(network())}
model = learners["without dropout"].model
picture = validation[0][0][None] / np.float32(255)
plots.feature_maps(model, picture[0], "relu1", count=16);
# %% [markdown] en
# ## What dropout throws away
#
# Dropout (Srivastava et al., 2014) multiplies each value by a random mask and makes up for what is lost:
#
# $$\tilde x = \frac{m}{1 - p}\, x, \qquad m \in \{0, 1\}, \quad P(m = 0) = p, \qquad \text{so that } E[\tilde x] = x .$$
#
# *Spatial* dropout (Tompson et al., 2015; `Dropout2d`) draws one $m$ for a whole feature map of a picture.
#
# A call of a model computes what evaluation does, and there dropout does nothing. To see a mask we ask the gradient: a
# network whose only weights are the feature maps themselves, behind them dropout, and the loss $L = \frac1n\sum \tilde x^2$.
# Then $\partial L / \partial x = \frac{2}{n (1 - p)} \tilde x$, so the gradient *is* the feature map after dropout but for a factor.
# %% [markdown] lt
# ## Ką išmeta išmetimas
#
# Išmetimas (Srivastava ir kt., 2014) kiekvieną reikšmę padaugina iš atsitiktinės kaukės ir atlygina tai, kas prarasta:
#
# $$\tilde x = \frac{m}{1 - p}\, x, \qquad m \in \{0, 1\}, \quad P(m = 0) = p, \qquad \text{tad } E[\tilde x] = x .$$
#
# *Erdvinis* išmetimas (Tompson ir kt., 2015; `Dropout2d`) visam vaizdo požymių žemėlapiui parenka vieną $m$.
#
# Kvietimas `model(x)` skaičiuoja taip, kaip vertinant, o tada išmetimas nieko nedaro. Kad pamatytume kaukę, pasiteiraukime
# gradiento: sudarykime tinklą, kurio vieninteliai svoriai yra patys požymių žemėlapiai, už jų išmetimą ir nuostolio
# funkciją $L = \frac1n\sum \tilde x^2$. Tada $\partial L / \partial x = \frac{2}{n (1 - p)} \tilde x$, taigi gradientas *yra*
# požymių žemėlapis po išmetimo, tik padaugintas iš skaičiaus.
# %%
def after_dropout(maps, kind, p=0.3, seed=1):
    """maps: [channels, height, width], as a training step sees them behind a dropout."""
    graph = sasuka.Graph((1,))
    x = graph.reshape(graph.linear(graph.input, "maps", maps.size, bias=False), maps.shape)
    model = graph.model(graph.flatten(graph.dropout(x, p, kind)))
    model.load_state_dict({"maps.weight": maps.reshape(-1, 1)})
    with sasuka.Trainer(model, loss="mean_squared_error", seed=seed) as trainer:
        trainer.zero_gradients()
        trainer.forward_backward(np.ones((1, 1)), np.zeros((1, maps.size), dtype=np.float32))
        gradient = trainer.gradients()["maps.weight"].reshape(maps.shape).copy()
    return gradient * (maps.size * (1 - p) / 2)


maps = model.extract_features(picture, ["bn1"])["bn1"][0]
single = after_dropout(maps, "elements")
whole = after_dropout(maps, "feature_maps")

figure, axes = plt.subplots(3, 8, figsize=(13, 5.2), layout="constrained")
for row, (shown, title) in enumerate(
    [(maps, "feature maps"), (single, "Dropout: single values"), (whole, "Dropout2d: whole maps")]
):
    for number, ax in enumerate(axes[row]):
        drawn = ax.imshow(shown[number], cmap="RdBu_r", vmin=-4, vmax=4)
        ax.set_xticks([])
        ax.set_yticks([])
    axes[row, 0].set_title(title, loc="left", fontsize=11)
figure.colorbar(drawn, ax=axes, shrink=0.6)
for dropped in (single, whole):
    kept = dropped != 0
    print(f"{1 - kept.mean():.2f} of the values were dropped, {(~kept.any(axis=(1, 2))).mean():.2f} of the maps wholly")
assert np.allclose(single[single != 0], maps[single != 0] / 0.7, rtol=1e-4)
# %% [markdown] en
# In the second row the pictures are still there: the eye fills the holes in, and so does the next convolution. In the third
# row some maps are gone, and the next layer has to do without what they knew.
#
# How much is really lost can be measured: predict a value by linear regression from what is left. When it is dropped
# alone, its eight neighbours and the other maps are left; when its map is dropped, only the other maps at the same place. Less
# known cannot predict better — the question is how much worse it does.
# %% [markdown] lt
# Antroje eilutėje vaizdai tebėra: akis užpildo skyles, ir taip pat padaro kita sąsūka. Trečioje eilutėje kai kurių
# žemėlapių nebėra, ir kitam sluoksniui tenka apsieiti be to, ką jie žinojo.
#
# Kiek iš tikrųjų prarandama, galima išmatuoti: nuspėkime reikšmę tiesine regresija iš to, kas liko. Kai išmesta tik ji, lieka
# aštuoni kaimynai ir kiti žemėlapiai; kai išmestas visas jos žemėlapis, – tik kiti žemėlapiai toje pačioje vietoje. Žinant mažiau
# geriau nuspėti neįmanoma – klausimas, kiek blogiau.
# %%
def predicted_share(target, known):
    """R² of a linear regression; target [n], known [n, variables]."""
    known = np.column_stack([known, np.ones(len(known))])
    rest = target - known @ np.linalg.lstsq(known, target, rcond=None)[0]
    return 1 - rest.var() / target.var()


batch = validation.pictures[:100] / np.float32(255)
found = model.extract_features(batch, ["relu2"])["relu2"].astype(float)  # [100, 32, 14, 14]
inner = found[:, :, 1:-1, 1:-1]
value_dropped, map_dropped = [], []
for channel in range(32):
    target = inner[:, channel].ravel()
    shifts = [(dy, dx) for dy in range(3) for dx in range(3) if (dy, dx) != (1, 1)]
    neighbours = [found[:, channel, dy : dy + 12, dx : dx + 12].ravel() for dy, dx in shifts]
    others = [inner[:, other].ravel() for other in range(32) if other != channel]
    value_dropped.append(predicted_share(target, np.stack(neighbours + others, axis=1)))
    map_dropped.append(predicted_share(target, np.stack(others, axis=1)))

figure, ax = plt.subplots(figsize=(11, 3.4), layout="constrained")
place = np.arange(32)
ax.bar(place - 0.2, value_dropped, 0.4, label="a value is dropped: its neighbours and the other maps are left")
ax.bar(place + 0.2, map_dropped, 0.4, label="its map is dropped: the other maps are left")
ax.set_xlabel("map")
ax.set_ylabel("share of the variance that is predicted")
ax.legend(frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.18))
print(f"{np.mean(value_dropped):.2f} {np.mean(map_dropped):.2f}")
# %% [markdown] en
# The two numbers are the means: of a value dropped alone about a fifth cannot be told from what is left, of one whose map is gone
# about a third. And ordinary dropout leaves seven of ten values of *each* map, whose pattern survives wholly. Therefore the same $p$ regularises more strongly as spatial dropout, and a smaller $p$ may do.
#
# Does it help? Three networks with the same first weights, taught with few pictures on purpose.
# %% [markdown] lt
# Du skaičiai yra vidurkiai: kai išmesta tik reikšmė, iš to, kas liko, nenuspėjama maždaug penktadalio, o kai išmestas jos žemėlapis, –
# maždaug trečdalio. Be to, paprastas išmetimas *kiekviename* žemėlapyje palieka septynias reikšmes iš dešimties, ir jo raštas išlieka
# visas. Todėl tas pats $p$ erdviniame išmetime reguliarizuoja stipriau ir gali pakakti mažesnio.
#
# Ar tai padeda? Trys tinklai su tais pačiais pradiniais svoriais, tyčia mokomi iš nedaugelio vaizdų.
# %%
learners["Dropout: single values"] = trained(network(nn.Dropout))
learners["Dropout2d: whole maps"] = trained(network(nn.Dropout2d))

figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained")
epochs = np.arange(1, 13)
for colour, (title, learner) in zip(("C0", "C1", "C2"), learners.items()):
    axes[0].plot(epochs, learner.history.column("train_loss"), linestyle="--", color=colour)
    axes[0].plot(epochs, learner.history.column("valid_loss"), color=colour, label=title)
axes[0].set_xlabel("epoch")
axes[0].set_ylabel("loss")
axes[0].set_yscale("log")
axes[0].legend(frameon=False)
seen = [learner.evaluate(training).accuracy for learner in learners.values()]
unseen = [learner.evaluate().accuracy for learner in learners.values()]
place = np.arange(3)
for shift, shares, title in ((-0.2, seen, "trained on"), (0.2, unseen, "never seen")):
    bars = axes[1].bar(place + shift, shares, 0.4, label=title)
    axes[1].bar_label(bars, [f"{share:.3f}" for share in shares], fontsize=8)
axes[1].set_xticks(place, [title.replace(": ", ":\n") for title in learners], fontsize=9)
axes[1].set_ylabel("accuracy")
axes[1].set_ylim(0.6, 1.05)
axes[1].legend(frameon=False, loc="upper right", ncols=2);
# %% [markdown] en
# (Dashed: the loss in training, with dropout at work; solid: that of pictures never seen.)
#
# Without dropout the loss in training falls towards zero, while that of unseen pictures soon stops falling: the network learns its
# few pictures by heart. Both kinds of dropout narrow the gap between training and validation. The *accuracy* on unseen pictures hardly
# changes, though: dropout makes training slower, and a percent more or less is chance with as few pictures. Regularisation is no
# magic that replaces data. Judge it with more epochs and several seeds (exercise 1).
#
# ## BatchNorm
#
# Batch normalisation (Ioffe and Szegedy, 2015) gives each **channel** mean 0 and variance 1, and lets the network choose
# both anew by a scale $\gamma$ and a shift $\beta$:
#
# $$\hat x_{n c h w} = \frac{x_{n c h w} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}}, \qquad y = \gamma_c \hat x + \beta_c, \qquad
# \mu_c = \frac{1}{N H W} \sum_{n, h, w} x_{n c h w} .$$
#
# In a fully connected layer $\mu$ is a mean over the $N$ pictures of a batch. In a convolutional one the same kernel works at each
# place, so that all $N \cdot H \cdot W$ values belong to one population: statistics are per channel, and there are as many as channels.
# A running mean with momentum 1 forgets all but the last batch, which lets us read from the library what it computed:
# %% [markdown] lt
# (Brūkšninė linija – nuostolis mokant, kai išmetimas veikia; ištisinė – nematytų vaizdų nuostolis.)
#
# Be išmetimo mokymo nuostolis krinta link nulio, o nematytų vaizdų nuostolis greitai nustoja kristi: tinklas savo nedaugelį
# vaizdų iškala mintinai. Abi išmetimo rūšys tarpą tarp mokymo ir tikrinimo siaurina. Tačiau nematytų vaizdų *tikslumas* beveik
# nekinta: su išmetimu mokomasi lėčiau, o kai vaizdų tiek mažai, procentas daugiau ar mažiau yra atsitiktinumas. Reguliarizavimas
# duomenų stebuklingai nepakeičia. Spręskite mokydami ilgiau ir su keliomis sėklomis (1 užduotis).
#
# ## BatchNorm
#
# Paketinis normavimas (Ioffe ir Szegedy, 2015) kiekvienam **kanalui** suteikia vidurkį 0 ir dispersiją 1, o tinklui leidžia
# abu pasirinkti iš naujo masteliu $\gamma$ ir poslinkiu $\beta$:
#
# $$\hat x_{n c h w} = \frac{x_{n c h w} - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}}, \qquad y = \gamma_c \hat x + \beta_c, \qquad
# \mu_c = \frac{1}{N H W} \sum_{n, h, w} x_{n c h w} .$$
#
# Visiškai sujungtame sluoksnyje $\mu$ yra $N$ paketo vaizdų vidurkis. Sąsūkos sluoksnyje tas pats branduolys dirba kiekvienoje
# vietoje, tad visos $N \cdot H \cdot W$ reikšmės priklauso vienai aibei: statistikos skaičiuojamos kanalui, ir jų tiek, kiek
# kanalų. Slenkantis vidurkis, kurio momentas 1, pamiršta viską, išskyrus paskutinį paketą, tad iš bibliotekos galime
# perskaityti, ką ji apskaičiavo:
# %%
x, labels = training.pictures[:64] / np.float32(255), training.targets()[:64]
last_batch = network(momentum=1.0)
with sasuka.Trainer(last_batch) as trainer:
    trainer.forward_backward(x, labels)
features = last_batch.extract_features(x, ["conv1", "bn1"])
before = features["conv1"].astype(float)
state = last_batch.state_dict()
mean, variance = before.mean(axis=(0, 2, 3)), before.var(axis=(0, 2, 3), ddof=1)
difference = max(np.abs(state["bn1.running_mean"] - mean).max(), np.abs(state["bn1.running_var"] - variance).max())
print("largest difference of means and variances", difference)
assert difference < 1e-5

figure, axes = plt.subplots(1, 2, figsize=(12, 3.2), layout="constrained")
for ax, values, title in zip(axes, (before, features["bn1"]), ("before BatchNorm", "after BatchNorm")):
    for channel in range(5):
        ax.hist(values[:, channel].ravel(), bins=80, histtype="step", density=True, label=f"map {channel}")
    ax.set_title(title)
    ax.set_xlabel("value")
    ax.set_yscale("log")
axes[0].set_ylabel("density")
axes[0].legend(frameon=False, fontsize=8);
# %% [markdown] en
# ## The batch is part of the computation
#
# In training a picture's result depends on the pictures beside it, since $\mu_c$ and $\sigma_c$ are the batch's. How much they vary
# from batch to batch depends on its size: the mean of $N$ pictures spreads like $1 / \sqrt N$ — the pixels of one picture do not
# count as so many independent samples, again because neighbours are alike.
# %% [markdown] lt
# ## Paketas dalyvauja skaičiavime
#
# Mokant vaizdo rezultatas priklauso nuo gretimų paketo vaizdų, nes $\mu_c$ ir $\sigma_c$ yra paketo. Kiek jie kinta nuo paketo iki
# paketo, priklauso nuo jo dydžio: $N$ vaizdų vidurkio sklaida mažėja kaip $1 / \sqrt N$ – vieno vaizdo taškai nėra tiek pat
# nepriklausomų imčių, ir vėl todėl, kad kaimynai panašūs.
# %%
random = np.random.default_rng(0)
everything = last_batch.features(training.pictures / np.float32(255), "conv1")
per_picture = everything.mean(axis=(2, 3)).astype(float)  # [pictures, channels]
sizes = np.array([1, 2, 4, 8, 16, 32, 64])
spread = []
for size in sizes:
    means = [per_picture[random.choice(len(per_picture), size, replace=False)].mean(axis=0) for _ in range(300)]
    spread.append(np.mean(np.std(means, axis=0) / everything.std(axis=(0, 2, 3))))
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.loglog(sizes, spread, "o-", label="spread of the batch's mean")
ax.loglog(sizes, spread[0] / np.sqrt(sizes), "--", color="grey", label="one over the square root")
ax.set_xlabel("pictures in the batch")
ax.set_xticks(sizes, sizes)
ax.legend(frameon=False);
# %% [markdown] en
# A few pictures in a batch make BatchNorm noisy. This noise regularises, but with very few pictures it hurts
# (Wu and He, 2018).
#
# ## Training and evaluation
#
# In evaluation there is no batch to speak of — one picture must get the same answer alone and in company. Running statistics
# take the batch's place, moved by each training step:
#
# $$\mu_\text{running} \leftarrow (1 - m)\, \mu_\text{running} + m\, \mu_\text{batch} .$$
#
# They begin at mean 0 and variance 1 and follow the weights, which move. Below is the loss of *the same batch with the same
# weights*, computed in both ways while the network learns.
# %% [markdown] lt
# Kai pakete vaizdų keli, BatchNorm elgiasi triukšmingai. Šis triukšmas reguliarizuoja, bet kai vaizdų vos
# keli, kenkia (Wu ir He, 2018).
#
# ## Mokymas ir vertinimas
#
# Vertinant paketo nėra – vienas vaizdas turi gauti tą patį atsakymą ir vienas, ir tarp kitų. Paketo vietą užima slenkančios
# statistikos, kurias pastumia kiekvienas mokymo žingsnis:
#
# $$\mu_\text{slenkantis} \leftarrow (1 - m)\, \mu_\text{slenkantis} + m\, \mu_\text{paketo} .$$
#
# Jos prasideda nuo vidurkio 0 ir dispersijos 1 ir seka paskui judančius svorius. Žemiau parodytas *to paties paketo nuostolis su
# tais pačiais svoriais*, tinklui mokantis skaičiuojamas abiem būdais.
# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 3.4), layout="constrained", sharey=True)
for ax, momentum in zip(axes, (0.1, 0.01)):
    learning = network(momentum=momentum)
    losses = []
    with sasuka.Trainer(learning, "adam", lr=0.003) as trainer:
        for step in range(80):
            chosen = np.arange(step % 10 * 60, step % 10 * 60 + 60)
            part, target = training.pictures[chosen] / np.float32(255), training.targets()[chosen]
            trainer.zero_gradients()
            as_in_training = trainer.forward_backward(part, target)
            losses.append((as_in_training, trainer.evaluate(part, target).loss))
            trainer.update()
    ax.plot([loss for loss, _ in losses], label="as in training")
    ax.plot([loss for _, loss in losses], label="as in evaluation")
    ax.set_title(f"momentum {momentum}")
    ax.set_xlabel("training step")
axes[0].set_ylabel("loss")
axes[0].set_yscale("log")
axes[0].legend(frameon=False);
# %% [markdown] en
# With momentum 0.1 the running statistics catch up within some forty steps. With 0.01 the network seems untaught in evaluation
# although it has learnt: who evaluates early, trains briefly or changes the data sees a loss that is an artefact. The same
# happens in fine-tuning when a frozen network's statistics go on moving — notebook 8 comes back to it.
#
# ## Why one wants it: higher learning rates
# %% [markdown] lt
# Kai momentas 0,1, slenkančios statistikos pasiveja maždaug per keturiasdešimt žingsnių. Kai 0,01, vertinamas tinklas atrodo
# neišmokytas, nors mokėsi: kas vertina anksti, moko trumpai ar pakeičia duomenis, mato nuostolį, kurio iš tikrųjų nėra. Taip pat
# nutinka tiksliai derinant jau išmokytą tinklą, kai įšaldytų sluoksnių statistikos juda toliau – prie to grįšime 8 sąsiuvinyje.
#
# ## Kam jo reikia: didesnis mokymosi greitis
# %%
rates = np.geomspace(0.003, 10, 9)
figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
for norm, title in ((True, "with BatchNorm"), (False, "without")):
    ends = []
    for rate in rates:
        with sasuka.Trainer(network(norm=norm), "sgd", lr=rate) as trainer:
            losses = []
            for step in range(36):
                chosen = np.arange(step % 12 * 50, step % 12 * 50 + 50)
                losses.append(trainer.step(training.pictures[chosen] / np.float32(255), training.targets()[chosen]))
        ends.append(np.mean(losses[-6:]))
    ax.semilogx(rates, np.minimum(np.nan_to_num(ends, nan=10, posinf=10), 4), "o-", label=title)
ax.set_ylim(0, 4)
ax.set_xlabel("learning rate")
ax.set_ylabel("loss")
ax.legend(frameon=False);
# %% [markdown] en
# The loss after 36 steps of plain gradient descent; $\ln 10 \approx 2{.}3$ is that of guessing (4 stands for all that is higher or no
# number). With BatchNorm rates over two orders of magnitude work, since the scale of a layer's weights no longer matters:
# $\text{BN}(a W x) = \text{BN}(W x)$ for any $a > 0$. Without it there is a narrow window, and even there the loss is higher.
#
# ## Folding
#
# Once the statistics stand still, BatchNorm behind a convolution is a linear map of each channel and can be written into
# the convolution's weights:
#
# $$W'_c = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \varepsilon}}\, W_c, \qquad
# b'_c = \beta_c + \frac{\gamma_c}{\sqrt{\sigma_c^2 + \varepsilon}}\,(b_c - \mu_c) .$$
# %% [markdown] lt
# Nuostolis po 36 paprasto gradientinio nusileidimo žingsnių; $\ln 10 \approx 2{,}3$ yra spėliojimo nuostolis (4 reiškia viską, kas
# didesnis arba nebėra skaičius). Su BatchNorm tinka dviejų eilių mokymosi greičių ruožas, nes sluoksnio svorių mastelis nebesvarbus:
# $\text{BN}(a W x) = \text{BN}(W x)$ kiekvienam $a > 0$. Be jo lieka siauras tarpas, ir net jame nuostolis didesnis.
#
# ## Suliejimas su sąsūka
#
# Kai statistikos nebejuda, už sąsūkos stovintis BatchNorm yra tiesinis kiekvieno kanalo atvaizdis, ir jį galima įrašyti į
# sąsūkos svorius:
#
# $$W'_c = \frac{\gamma_c}{\sqrt{\sigma_c^2 + \varepsilon}}\, W_c, \qquad
# b'_c = \beta_c + \frac{\gamma_c}{\sqrt{\sigma_c^2 + \varepsilon}}\,(b_c - \mu_c) .$$
# %%
state = model.state_dict()
folded_state = {name: state[name] for name in ("fc.weight", "fc.bias")}
for number in (1, 2):
    factor = state[f"bn{number}.weight"] / np.sqrt(state[f"bn{number}.running_var"] + 1e-5)
    folded_state[f"conv{number}.weight"] = state[f"conv{number}.weight"] * factor[:, None, None, None]
    folded_state[f"conv{number}.bias"] = state[f"bn{number}.bias"] - factor * state[f"bn{number}.running_mean"]
folded = network(norm=False)
folded.load_state_dict(folded_state)

pictures = validation.pictures[:100] / np.float32(255)
difference = np.abs(model(pictures) - folded(pictures)).max()
print("largest difference of the logits", difference)
assert difference < 1e-3
for one in (model, folded):
    run = [row.name for row in one.profile(pictures[:1], runs=1).nodes() if row.name]
    print(f"{len(one.layers())} layers; these are run:", list(dict.fromkeys(run)))
# %% [markdown] en
# The logits are the same up to rounding. The first list shows that you need not fold by hand: when the library compiles a network
# for inference it folds by itself, and no BatchNorm is left among what is run.
#
# ## What to take along
#
# - Neighbours in a feature map are alike: dropping single values loses little, dropping whole maps loses what they knew.
# - BatchNorm's statistics are per channel, over $N \cdot H \cdot W$ values; their noise depends on $N$.
# - Training and evaluation compute different things. Look at both before you distrust your network.
# - In evaluation BatchNorm costs nothing: it disappears in the convolution.
#
# ## Questions and exercises
#
# 1. Train for 40 epochs and with $p = 0.1$ and $0.5$: which dropout wins, by loss and by accuracy? Repeat with 6 seeds
#    (`Learner(..., seed=…)`): how large is chance?
# 2. Why does a convolution before BatchNorm need no bias? Check how many parameters `bias=False` saves in ResNet-50.
# 3. Take `momentum=None` (the average over all batches). Where does its curve lie in the picture of training and evaluation?
# 4. Dropout before BatchNorm changes the variance in training but not in evaluation (Li et al., 2018). Measure it.
# 5. Fold BatchNorm that stands *before* a convolution. Where does padding with zeros spoil the formula?
# %% [markdown] lt
# Logitai sutampa iki apvalinimo paklaidos. Pirmasis sąrašas rodo, kad ranka sulieti nereikia: rengdama tinklą vertinimui,
# biblioteka sulieja pati, ir tarp vykdomų sluoksnių BatchNorm nelieka.
#
# ## Ką įsiminti
#
# - Požymių žemėlapio kaimynai panašūs: išmetus atskiras reikšmes prarandama mažai, išmetus ištisus žemėlapius – tai, ką jie žinojo.
# - BatchNorm statistikos skaičiuojamos kiekvienam kanalui iš $N \cdot H \cdot W$ reikšmių; jų triukšmas priklauso nuo $N$.
# - Mokant ir vertinant skaičiuojami skirtingi dalykai. Prieš nepasitikėdami tinklu pažvelkite į abu.
# - Vertinant BatchNorm nekainuoja nieko: jis ištirpsta sąsūkoje.
#
# ## Klausimai ir užduotys
#
# 1. Mokykite 40 epochų, kai $p = 0{,}1$ ir $0{,}5$: kuris išmetimas laimi pagal nuostolį ir kuris pagal tikslumą? Pakartokite su 6
#    sėklomis (`Learner(..., seed=…)`): kiek lemia atsitiktinumas?
# 2. Kodėl sąsūkai prieš BatchNorm nereikia poslinkio (angl. *bias*)? Patikrinkite, kiek parametrų `bias=False` sutaupo ResNet-50.
# 3. Paimkite `momentum=None` (visų paketų vidurkį). Kur mokymo ir vertinimo brėžinyje atsiduria jo kreivė?
# 4. Išmetimas prieš BatchNorm keičia dispersiją mokant, bet ne vertinant (Li ir kt., 2018). Išmatuokite.
# 5. Suliekite BatchNorm, stovintį *prieš* sąsūką. Kur formulę gadina užpildymas nuliais?
